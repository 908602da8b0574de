import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JWK } from 'jose'
import type { Configuration } from 'oidc-provider'
import { InvalidTarget } from 'oidc-provider/lib/helpers/errors.js'
import { Provider } from 'oidc-provider/lib/provider.js'
import type { ConnectorStore } from '../connectors/store.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken, isSameSecret } from '../kernel/secret.ts'
import type { Logger } from '../log/logger.ts'
import type { StoredKeys } from '../vault/stored-keys.ts'
import type { Vault } from '../vault/vault.ts'
import { clientAuthMethods } from './client-metadata.ts'
import type { TrustsAddresses } from './client-trust.ts'
import { connectorOfResource, mcpScope, offlineScope } from './connector-resource.ts'
import type { FetchClient } from './fetch-client.ts'
import type { GrantStore } from './grant.ts'
import { createOidcAdapter } from './oidc-adapter.ts'
import { oauthPaths } from './paths.ts'
import { grantClaim, type ReadAccessToken } from './read-access-token.ts'
import { createResourceServerInfo } from './resource-server.ts'
import { createRotateRefreshToken } from './rotate-refresh-token.ts'
import type { ArtifactStore, OauthClientStore } from './store.ts'
import { withStructuredTokens } from './structured-tokens.ts'

export type AuthorizationServerDeps = {
  readonly clients: OauthClientStore
  readonly trusts: TrustsAddresses
  readonly grants: GrantStore
  readonly artifacts: ArtifactStore
  readonly signingKeys: Pick<StoredKeys, 'signingJwk'>
  readonly readAccessToken: ReadAccessToken
  readonly fetchClient: FetchClient
  readonly connectors: Pick<ConnectorStore, 'tenantOf'>
  /** Answers a person whose request cannot be answered at its client. */
  readonly showError: (response: ServerResponse, error: string) => void
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Logger
  readonly publicUrl: URL
  readonly accessTokenTtlSeconds: number
  readonly refreshGraceMs: number
}

const day = 86_400
/** How long a refresh token lives unused. */
const refreshIdleSeconds = 90 * day
/** How long a grant lives however often it is used: `grants.expires_at`. */
export const grantSeconds = 365 * day
const requestSeconds = 600

/**
 * Our own authorization server, over oidc-provider: code flow with PKCE S256 (RFC 7636), `resource` (RFC 8707), `iss`
 * (RFC 9207), client metadata documents (CIMD) and registered clients, signed `at+jwt` access tokens (RFC 9068). Who the
 * person is and what they allow is asked by our own pages.
 *
 * @returns `provider` for the key that signs now: the library signs with one that it was made with, so that each key has a
 *   provider of its own, over the same stores
 */
export function createAuthorizationServer(deps: AuthorizationServerDeps) {
  let made: { readonly kid: string; readonly provider: Provider } | undefined

  async function provider(): Promise<Provider> {
    const signingKey = await deps.signingKeys.signingJwk()
    if (made?.kid !== signingKey.kid) made = { kid: signingKey.kid, provider: make(deps, signingKey) }
    return made.provider
  }

  return {
    provider,

    /** Answers one request to a path of the protocol. All that it says of itself is built from `PUBLIC_URL`. */
    async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const { headers } = request
      for (const name of Object.keys(headers)) if (/^(x-forwarded-|forwarded$)/.test(name)) delete headers[name]
      headers.host = deps.publicUrl.host
      headers['x-forwarded-proto'] = deps.publicUrl.protocol.slice(0, -1)
      await (await provider()).callback()(request, response)
    },
  }
}

export type AuthorizationServer = ReturnType<typeof createAuthorizationServer>

function make(deps: AuthorizationServerDeps, signingKey: JWK): Provider {
  const { grants, artifacts, vault, clock, log, publicUrl } = deps
  const resourceServerInfo = createResourceServerInfo(publicUrl, deps.accessTokenTtlSeconds)
  const provider = new Provider(publicUrl.origin, {
    ...protocol(publicUrl),
    adapter: createOidcAdapter(deps),
    jwks: { keys: [signingKey] },
    cookies: {
      // Cookie jars ignore ports: under the library's own names, another such server on localhost overwrites ours.
      names: { session: 'pb_session', interaction: 'pb_interaction', resume: 'pb_resume' },
      keys: vault.deriveKeys('oauth-cookies').all.map((key) => key.toString('base64url')),
      short: { signed: true, httpOnly: true, sameSite: 'lax', path: '/' },
    },
    extraTokenClaims: (_ctx, token) => ('grantId' in token ? { [grantClaim]: token.grantId } : undefined),
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // a document is asked for with `redirect: 'manual'`; else it is the keys that one names
    fetch: (url, init) =>
      init?.redirect === 'manual' ? deps.fetchClient.document(String(url)) : deps.fetchClient.keys(String(url)),
    renderError: (ctx, { error }) => {
      ctx.respond = false
      deps.showError(ctx.res, error)
    },
    ttl: {
      AccessToken: deps.accessTokenTtlSeconds,
      AuthorizationCode: 60,
      Grant: grantSeconds,
      Interaction: requestSeconds,
      RefreshToken: refreshIdleSeconds,
      Session: requestSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
      clientIdMetadataDocument: {
        enabled: true,
        ack: 'draft-02',
        cacheDuration: { min: 60, max: day },
        allowFetch: (_ctx, url) =>
          new URL(url).origin !== publicUrl.origin && new URL(url).pathname !== '/' && deps.trusts([url]),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => {
          if (typeof oneOf === 'string') return oneOf
          throw new InvalidTarget('say which connector you ask for, with one resource parameter')
        },
        useGrantedResource: () => true,
        getResourceServerInfo: async (_ctx, resource) => {
          const connectorId = connectorOfResource(publicUrl, resource)
          if (connectorId === null || (await deps.connectors.tenantOf(connectorId)) === null)
            throw new InvalidTarget('not the address of a connector')
          return resourceServerInfo(resource)
        },
      },
    },
  })
  provider.proxy = true
  provider.Client.prototype.compareClientSecret = function compare(this: { clientSecret?: string }, given: string) {
    return this.clientSecret !== undefined && isSameSecret(hashToken(given), this.clientSecret)
  }
  // The library compares the resource only once the code is used up; a mistake there should not cost the code (PK-06).
  const { consume } = provider.AuthorizationCode.prototype
  provider.AuthorizationCode.prototype.consume = async function consumeForItsResource() {
    const asked = Provider.ctx?.oidc.params?.resource
    if (asked !== undefined && asked !== this.resource) throw new InvalidTarget('not the resource that was granted')
    return consume.call(this)
  }
  provider.registerGrantType(
    'refresh_token',
    createRotateRefreshToken({
      provider,
      grants,
      artifacts,
      vault,
      clock,
      resourceServerInfo,
      graceMs: deps.refreshGraceMs,
      idleMs: refreshIdleSeconds * 1000,
    }),
    ['refresh_token', 'scope', 'resource'],
    ['resource'],
  )
  // RFC 6749 section 3.3: a request that names no scope is for the default one. The library knows none.
  provider.use((ctx, next) => {
    if (ctx.path === oauthPaths.authorization && ctx.query.scope === undefined)
      ctx.query = { ...ctx.query, scope: mcpScope }
    return next()
  })
  withStructuredTokens(provider, deps)
  provider.on('server_error', (_ctx, err) => log.error({ err }, 'authorization server failed'))
  return provider
}

/** What of the protocol we speak. */
function protocol(publicUrl: URL): Configuration {
  return {
    routes: {
      authorization: oauthPaths.authorization,
      token: oauthPaths.token,
      revocation: oauthPaths.revocation,
      introspection: oauthPaths.introspection,
      jwks: oauthPaths.jwks,
    },
    discovery: { registration_endpoint: publicUrl.origin + oauthPaths.registration },
    scopes: [mcpScope, offlineScope],
    claims: { [mcpScope]: [] },
    responseTypes: ['code'],
    clientAuthMethods: [...clientAuthMethods],
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    clientBasedCORS: () => true,
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    interactions: { url: (_ctx, interaction) => `${oauthPaths.consent}/${interaction.uid}` },
  }
}
