import type { Caller } from '../access/caller.ts'
import { label } from '../insight/labels.ts'
import { AppError } from '../kernel/app-error.ts'
import { connectorResources, mcpScope } from './connector-resource.ts'
import { expiryOf, type ReadAccessToken, refused } from './read-access-token.ts'

type Deps = { readonly readAccessToken: ReadAccessToken; readonly publicUrl: URL }

/**
 * Says who calls a connector with an access token of ours: one that is good, and for exactly this connector.
 *
 * @param connectorId whose endpoint, or alias, was called
 * @returns a caller that may use this connector and do nothing else
 * @throws AppError `unauthenticated` for a token that is not good here, `forbidden` (`meta.requiredScope`) for one without
 *   the scope
 */
export function createVerifyAccessToken({ readAccessToken, publicUrl }: Deps) {
  return async (token: string, connectorId: string): Promise<Caller> => {
    const { claims, live } = await readAccessToken(token)
    const { grant, principal } = live
    if (!connectorResources(publicUrl, connectorId).includes(claims.aud)) throw refused('for another resource')
    if (grant.connectorId !== connectorId) throw refused('of a grant for another connector')
    if (!claims.scope.split(' ').includes(mcpScope)) {
      throw new AppError('forbidden', 'token without the scope', { meta: { requiredScope: mcpScope } })
    }
    return {
      principal: {
        ...principal,
        tenantId: grant.tenantId,
        role: 'member',
        scopes: new Set(['connectors:proxy']),
        label: grant.clientName,
        isRecognisable: principal.kind === 'user',
      },
      credentialId: grant.id,
      expiresAt: expiryOf(claims),
      client: label(grant.clientName),
    }
  }
}

export type VerifyAccessToken = ReturnType<typeof createVerifyAccessToken>
