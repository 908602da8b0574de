import type { createIssueApiKey } from '../../access/api-key.ts'
import { scopesOfRole } from '../../access/rights.ts'
import type { AccessStore, ApiKey } from '../../access/store.ts'
import { AppError } from '../../kernel/app-error.ts'
import type { Clock } from '../../kernel/clock.ts'
import type { Principal, Scope } from '../../kernel/principal.ts'
import { apiKeySchema, apiKeyWithSecretSchema, createApiKeyBody } from '../api-key-schemas.ts'
import { representApiKey, representList } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import { idParams, listSchema } from '../schemas.ts'

type Deps = {
  readonly access: Pick<AccessStore, 'listApiKeys' | 'revokeApiKey'>
  readonly issueApiKey: ReturnType<typeof createIssueApiKey>
  readonly clock: Clock
}

/** The API keys of a tenant, for its administrators. */
export function createApiKeyRoutes({ access, issueApiKey, clock }: Deps): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/api-keys',
      operationId: 'createApiKey',
      summary: 'Make an API key',
      scope: 'admin',
      body: createApiKeyBody,
      success: { status: 201, description: 'The new key, and the only sight of it.', schema: apiKeyWithSecretSchema },
      errors: ['forbidden'],
      handle: async ({ principal, body }) => {
        const { label, kind, subject, role = 'member', scopes, expires_at: expiresAt } = body
        const { key, apiKey } = await issueApiKey({
          tenantId: principal.tenantId,
          label,
          kind,
          subject,
          role,
          scopes: grantable(principal, scopes, scopesOfRole(role)),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        })
        return { ...representApiKey(apiKey), key: key.reveal() }
      },
    }),

    defineRoute({
      method: 'get',
      path: '/api-keys',
      operationId: 'listApiKeys',
      summary: "Your organisation's API keys",
      scope: 'admin',
      success: {
        status: 200,
        description: 'All of them, newest first; never a key.',
        schema: listSchema(apiKeySchema),
      },
      errors: [],
      handle: async ({ principal }) => {
        const keys: ApiKey[] = await access.listApiKeys(principal.tenantId)
        return representList(keys.map(representApiKey), keys.length, false)
      },
    }),

    defineRoute({
      method: 'delete',
      path: '/api-keys/{id}',
      operationId: 'revokeApiKey',
      summary: 'Revoke an API key, at once and for good',
      scope: 'admin',
      params: idParams,
      success: { status: 204, description: 'The key opens nothing any more.' },
      errors: ['not_found'],
      handle: async ({ principal, params }) => {
        const isFound = await access.revokeApiKey(principal.tenantId, params.id, clock.now())
        if (!isFound) throw new AppError('not_found', 'no such key in the tenant')
        return undefined
      },
    }),
  ]
}

/** Nobody gives away what they have not got themselves. */
function grantable(
  principal: Principal,
  wanted: readonly Scope[] | undefined,
  ofRole: readonly Scope[],
): readonly Scope[] {
  const own = (scope: Scope) => principal.scopes.has(scope)
  const missing = (wanted ?? []).filter((scope) => !own(scope))
  if (missing.length > 0) {
    throw new AppError('forbidden', 'scopes exceed those of the maker', {
      publicDetail: `Your own key lacks: ${missing.join(', ')}. A key cannot have more scopes than its maker's.`,
    })
  }
  return wanted ?? ofRole.filter(own)
}
