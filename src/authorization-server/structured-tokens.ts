import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Clock } from '../kernel/clock.ts'
import type { GrantStore } from './grant.ts'
import type { ReadAccessToken } from './read-access-token.ts'

type Deps = {
  readonly readAccessToken: ReadAccessToken
  readonly grants: GrantStore
  readonly clock: Clock
}

const introspectionPath = '/oauth/introspect'
const revocationPath = '/oauth/revoke'

/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of our access tokens. They are JWTs, which oidc-provider refuses there,
 * after it has authenticated the client. Revoking one ends its grant, since a host that gives back its access token is done.
 *
 * A token of another client, or none of ours, reads as inactive, and is left alone.
 */
export function withStructuredTokens(provider: Provider, { readAccessToken, grants, clock }: Deps): void {
  provider.use(async (ctx: KoaContextWithOIDC, next) => {
    await next()
    if (ctx.path !== introspectionPath && ctx.path !== revocationPath) return
    const { client, params } = ctx.oidc ?? {}
    const token = params?.token
    if (client === undefined || typeof token !== 'string' || !isRefusedAsStructured(ctx.body)) return
    const read = await readAccessToken(token).catch(() => null)
    const isOwn = read !== null && read.claims.client_id === client.clientId
    ctx.status = 200
    if (ctx.path === revocationPath) {
      if (isOwn) await grants.revoke(read.live.grant.id, 'client', clock.now())
      ctx.body = ''
      return
    }
    if (!isOwn) {
      ctx.body = { active: false }
      return
    }
    const { claims } = read
    ctx.body = {
      active: true,
      token_type: 'Bearer',
      client_id: claims.client_id,
      sub: claims.sub,
      aud: claims.aud,
      iss: provider.issuer,
      scope: claims.scope,
      iat: claims.iat,
      exp: claims.exp,
    }
  })
}

function isRefusedAsStructured(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'error' in body && body.error === 'unsupported_token_type'
}
