import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import type { Secret } from '../kernel/secret.ts'
import { type ClaimedPrincipal, type ClaimMapping, readClaims } from './oidc-claims.ts'

/** What one login must be finished with; nobody but the browser that began it may know it. */
export type LoginAttempt = { readonly state: string; readonly nonce: string; readonly verifier: string }

export type OidcLogin = {
  /** @throws AppError `issuer_unavailable` */
  begin(): Promise<{ readonly target: URL; readonly attempt: LoginAttempt }>
  /**
   * @param parameters the query with which the browser came back
   * @returns who signed in; null when they did not, or when the answer does not fit the attempt
   * @throws AppError `issuer_unavailable`
   */
  finish(parameters: URLSearchParams, attempt: LoginAttempt): Promise<ClaimedPrincipal | null>
}

type Deps = {
  readonly issuer: string
  readonly clientId: string
  /** None for a public client. */
  readonly clientSecret: Secret | undefined
  readonly redirectUri: URL
  readonly mapping: ClaimMapping
  readonly fetch: GuardedFetch
  readonly clock: Clock
}

const requestMs = 8000
const metadataMaxAgeMs = 3_600_000

/**
 * Login of people at the organisation's OpenID provider: the code flow with PKCE S256, `state` and `nonce` (OpenID Connect
 * Core section 3.1), everything fetched through the egress guard, the ID token's signature checked. Nothing of the provider's
 * tokens is kept.
 */
export function createOidcLogin(deps: Deps): OidcLogin {
  const { issuer, clientId, clientSecret, redirectUri, mapping, clock } = deps
  let found: { readonly configuration: Promise<Configuration>; readonly untilMs: number } | undefined

  const guarded = (url: string, { method, headers, body }: RequestInit) =>
    deps.fetch(url, {
      ...(method === undefined ? {} : { method }),
      ...(headers === undefined ? {} : { headers }),
      ...(body == null ? {} : { body: String(body) }),
      totalMs: requestMs,
    })

  async function discover(): Promise<Configuration> {
    const configuration = await discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
      [customFetch]: (url, options) => guarded(url, options as RequestInit),
      execute: isLoopbackOrigin(new URL(issuer)) ? [allowInsecureRequests] : [],
    })
    enableNonRepudiationChecks(configuration)
    return configuration
  }

  async function configured(): Promise<Configuration> {
    const now = clock.now().getTime()
    if (found === undefined || now >= found.untilMs) {
      found = { configuration: discover(), untilMs: now + metadataMaxAgeMs }
    }
    const { configuration } = found
    return configuration.catch((cause: unknown) => {
      if (found?.configuration === configuration) found = undefined
      throw new AppError('issuer_unavailable', 'the login provider cannot be read', { cause })
    })
  }

  return {
    async begin() {
      const configuration = await configured()
      const attempt = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() }
      const target = buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri.href,
        scope: 'openid profile email',
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await calculatePKCECodeChallenge(attempt.verifier),
        code_challenge_method: 'S256',
      })
      return { target, attempt }
    },

    async finish(parameters, { state, nonce, verifier }) {
      const configuration = await configured()
      const callback = new URL(`?${parameters}`, redirectUri)
      try {
        const tokens = await authorizationCodeGrant(configuration, callback, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        })
        const claims = tokens.claims()
        return claims === undefined ? null : readClaims(claims, mapping)
      } catch (error) {
        if (unreachable(error))
          throw new AppError('issuer_unavailable', 'login could not be finished', { cause: error })
        return null
      }
    },
  }
}

/** OpenID Connect Core section 9: `client_secret_basic` unless the provider does not take it. */
function authentication(clientSecret: Secret | undefined): ClientAuth {
  if (clientSecret === undefined) return None()
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported
    const method = methods?.includes('client_secret_basic') === false ? ClientSecretPost : ClientSecretBasic
    method(clientSecret.reveal())(server, client, body, headers)
  }
}

/** Our own guard's errors come as causes; whatever else went wrong is the answer's fault. */
function unreachable(error: unknown): boolean {
  return error instanceof AppError || (error instanceof Error && error.cause instanceof AppError)
}
