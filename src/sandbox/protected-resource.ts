import type { KeyObject } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AuthInfo } from '@modelcontextprotocol/server'
import { jwtVerify } from 'jose'
import { z } from 'zod'
import type { Clock } from '../kernel/clock.ts'
import { type SandboxAddresses, sandboxScope } from './addresses.ts'
import { grantClaim } from './authorization-server.ts'
import type { TokenStore } from './token-store.ts'

export type ProtectedResourceDeps = {
  readonly addresses: SandboxAddresses
  readonly store: TokenStore
  /** Of the key that the authorization server signs with. */
  readonly publicKey: KeyObject
  readonly clock: Clock
}

/** Who is calling; or the status and the `WWW-Authenticate` value to refuse with (RFC 6750 section 3). */
export type Admission =
  | { readonly isAdmitted: true; readonly auth: AuthInfo }
  | { readonly isAdmitted: false; readonly status: 401 | 403; readonly challenge: string }

const accessClaims = z.object({
  sub: z.string(),
  client_id: z.string(),
  exp: z.number(),
  scope: z.string().default(''),
  [grantClaim]: z.string(),
})

/** The resource side of the sandbox: its metadata, and the check of access tokens (RFC 9068 section 4). */
export function createProtectedResource({ addresses, store, publicKey, clock }: ProtectedResourceDeps) {
  const refuse = (status: 401 | 403, problem?: { error: string; description: string }): Admission => {
    const parts = [
      ...(problem === undefined ? [] : [`error="${problem.error}"`, `error_description="${problem.description}"`]),
      `resource_metadata="${addresses.resourceMetadataUrl}"`,
      `scope="${sandboxScope}"`,
    ]
    return { isAdmitted: false, status, challenge: `Bearer ${parts.join(', ')}` }
  }
  const invalid = (): Admission =>
    refuse(401, { error: 'invalid_token', description: 'The access token is expired, revoked or not from here' })

  return {
    /** RFC 9728 section 2. */
    metadata: {
      resource: addresses.mcpUrl,
      authorization_servers: [addresses.origin],
      scopes_supported: [sandboxScope],
      bearer_methods_supported: ['header'],
      resource_name: 'Patchbay sandbox',
    },

    async admit(request: IncomingMessage): Promise<Admission> {
      const token = /^Bearer +([^ ]+)$/i.exec(request.headers.authorization ?? '')?.[1]
      if (token === undefined) return refuse(401)
      const verified = await jwtVerify(token, publicKey, {
        issuer: addresses.origin,
        audience: addresses.mcpUrl,
        typ: 'at+jwt',
        algorithms: ['RS256'],
        currentDate: clock.now(),
      }).catch(() => undefined)
      const claims = accessClaims.safeParse(verified?.payload)
      if (!claims.success || !store.hasGrant(claims.data[grantClaim])) return invalid()
      const { sub, client_id, exp, scope } = claims.data
      const scopes = scope.split(' ').filter((name) => name !== '')
      if (!scopes.includes(sandboxScope)) {
        return refuse(403, { error: 'insufficient_scope', description: `The access token lacks ${sandboxScope}` })
      }
      const auth = { token, clientId: client_id, scopes, expiresAt: exp, extra: { account: sub } }
      return { isAdmitted: true, auth }
    },
  }
}
