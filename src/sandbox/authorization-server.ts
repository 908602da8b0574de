import type { JWK } from 'oidc-provider'
import { InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { Provider } from 'oidc-provider/lib/provider.js'
import { randomToken } from '../kernel/secret.ts'
import { type SandboxAddresses, sandboxScope } from './addresses.ts'
import { newClientId } from './client-id.ts'
import { noticePage } from './notice-page.ts'
import { pageHeaders } from './page-layout.ts'
import type { SandboxLog } from './sandbox-log.ts'
import type { TokenStore } from './token-store.ts'

export type AuthorizationServerDeps = {
  readonly addresses: SandboxAddresses
  readonly store: TokenStore
  /** A private RSA key with `kid`. */
  readonly signingKey: JWK
  readonly tokenTtlSeconds: number
  readonly log: SandboxLog
}

const day = 86_400
const authorizePath = '/oauth/authorize'

/** The claim that names the grant behind an access token. */
export const grantClaim = 'sandbox_grant'

/** The path of the page that asks who you are; the id of the authorization request follows. */
export const signInPath = '/sign-in/'

/**
 * An OAuth 2.1 authorization server as MCP clients expect it: metadata (RFC 8414), open registration (RFC 7591), code
 * flow with PKCE S256, `resource` (RFC 8707), `iss` (RFC 9207), signed `at+jwt` access tokens (RFC 9068), refresh tokens
 * that rotate and whose family dies on reuse (RFC 9700 section 4.14.2), revocation (RFC 7009).
 */
export function createAuthorizationServer(deps: AuthorizationServerDeps): Provider {
  const { addresses, store, signingKey, tokenTtlSeconds, log } = deps
  const provider = new Provider(addresses.origin, {
    adapter: store.adapter,
    jwks: { keys: [signingKey] },
    routes: {
      authorization: authorizePath,
      token: '/oauth/token',
      registration: '/oauth/register',
      revocation: '/oauth/revoke',
      jwks: '/oauth/jwks.json',
    },
    scopes: [sandboxScope, 'offline_access'],
    responseTypes: ['code'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    // As native, so that loopback and custom-scheme redirects are taken, and plain http to elsewhere is not.
    clientDefaults: {
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    extraTokenClaims: (_ctx, token) => ('grantId' in token ? { [grantClaim]: token.grantId } : undefined),
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx, interaction) => `${signInPath}${interaction.uid}` },
    // Cookie jars ignore ports: under the library's own names, two such servers on localhost overwrite each other.
    cookies: {
      names: { session: 'sandbox_session', interaction: 'sandbox_interaction', resume: 'sandbox_resume' },
      keys: [randomToken()],
    },
    ttl: {
      AccessToken: tokenTtlSeconds,
      AuthorizationCode: 60,
      Grant: 30 * day,
      Interaction: 600,
      RefreshToken: 30 * day,
      Session: day,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      registration: {
        enabled: true,
        initialAccessToken: false,
        issueRegistrationAccessToken: false,
        idFactory: (ctx) => newClientId(ctx.oidc.body),
      },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => addresses.mcpUrl,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (resource !== addresses.mcpUrl) throw new InvalidTarget(`the only resource here is ${addresses.mcpUrl}`)
          return {
            scope: sandboxScope,
            audience: addresses.mcpUrl,
            accessTokenTTL: tokenTtlSeconds,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }
        },
      },
    },
    // Registrations may name addresses (jwks_uri, ...). The sandbox goes nowhere.
    fetch: () => Promise.reject(new Error('the sandbox makes no requests')),
    renderError: (ctx, out) => {
      ctx.set(pageHeaders)
      ctx.body = noticePage({
        title: 'The sandbox cannot go on',
        text: `The request was refused: ${out.error_description ?? out.error}.`,
        hint: 'Go back to the application that sent you here and start again.',
      })
    },
  })
  // RFC 6749 section 3.3: a request that names no scope is for the default one. The library knows none.
  provider.use((ctx, next) => {
    if (ctx.path === authorizePath && ctx.query.scope === undefined) ctx.query = { ...ctx.query, scope: sandboxScope }
    return next()
  })
  provider.on('server_error', (_ctx, error) => log.error({ err: error }, 'sandbox: authorization server failed'))
  provider.on('grant.revoked', (_ctx, grantId) => log.info({ grantId }, 'sandbox: grant revoked'))
  return provider
}
