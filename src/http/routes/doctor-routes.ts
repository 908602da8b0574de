import type { ScanLimit } from '../../access/scan-limit.ts'
import type { Diagnose } from '../../doctor/diagnose.ts'
import { diagnosisSchema, doctorBody } from '../doctor-schemas.ts'
import { representDiagnosis } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'

type Deps = { readonly diagnose: Diagnose; readonly scanLimit: ScanLimit }

/** Diagnosis without a connector. Members may ask too; what the egress guard refused is told to administrators only. */
export function createDoctorRoutes({ diagnose, scanLimit }: Deps): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/doctor',
      operationId: 'diagnose',
      summary: 'Find out what connecting a URL would come to, and what to fix',
      scope: 'connectors:write',
      body: doctorBody,
      success: {
        status: 200,
        description: 'The report, also of a server that does not work. Nothing is stored or registered.',
        schema: diagnosisSchema,
      },
      errors: ['url_invalid', 'url_not_allowed', 'rate_limited'],
      handle: async ({ principal, body }) =>
        representDiagnosis(
          await scanLimit({
            principal,
            url: body.url,
            codeOf: ({ verdict }) => verdict,
            run: () =>
              diagnose({
                url: body.url,
                ...(body.client_id === undefined ? {} : { clientId: body.client_id }),
                isGuardShown: principal.role === 'admin',
              }),
          }),
        ),
    }),
  ]
}
