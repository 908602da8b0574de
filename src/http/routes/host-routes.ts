import type { MintConnectToken } from '../../authorization-server/connect-token.ts'
import { connectTokenBody, connectTokenSchema } from '../host-schemas.ts'
import { defineRoute, type Route } from '../route.ts'
import { idParams } from '../schemas.ts'

type Deps = { readonly mintConnectToken: MintConnectToken }

/** What the hosts of people need of the REST API. */
export function createHostRoutes({ mintConnectToken }: Deps): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/connectors/{id}/connect-tokens',
      operationId: 'createConnectToken',
      summary: 'Make a token with which a person says on the consent page who they are',
      scope: 'connectors:write',
      params: idParams,
      body: connectTokenBody,
      success: { status: 201, description: 'The token; it is shown this once.', schema: connectTokenSchema },
      errors: ['not_found', 'subject_required'],
      handle: async ({ principal, params, body }) => {
        const { token, person, expiresAt } = await mintConnectToken(principal, params.id, {
          ttlSeconds: body.ttl_seconds,
          ...(body.subject === undefined ? {} : { subject: body.subject }),
          ...(body.kind === undefined ? {} : { kind: body.kind }),
        })
        return {
          connect_token: token.reveal(),
          subject: person.subject,
          kind: person.kind,
          expires_at: expiresAt.toISOString(),
        }
      },
    }),
  ]
}
