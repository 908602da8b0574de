import type { Diagnose } from '../../doctor/diagnose.ts'
import { diagnosisSchema, doctorBody } from '../doctor-schemas.ts'
import { representDiagnosis } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'

/** Diagnosis without a connector. Members may ask too; what the egress guard refused is told to administrators only. */
export function createDoctorRoutes({ diagnose }: { readonly diagnose: Diagnose }): Route[] {
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
      errors: ['url_invalid', 'url_not_allowed'],
      handle: async ({ principal, body }) =>
        representDiagnosis(
          await diagnose({
            url: body.url,
            ...(body.client_id === undefined ? {} : { clientId: body.client_id }),
            isGuardShown: principal.role === 'admin',
          }),
        ),
    }),
  ]
}
