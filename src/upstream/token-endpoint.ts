import * as oauth from 'openid-client'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { ErrorCode } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { Client } from './client.ts'
import { classifyAnswer, classifyFailure, type TokenAnswer, type TokenOutcome } from './token-outcome.ts'
import type { TokenSet } from './token-response.ts'

export type { TokenSet } from './token-response.ts'
export type RefreshOutcome = TokenOutcome

/** What of a server a stored grant remembers. */
export type TokenServer = Pick<AuthorizationServer, 'issuer' | 'tokenEndpoint'>
export type RevocationServer = TokenServer & { readonly revocationEndpoint: string }

/** Why no token came of a callback, as a code with a face of its own. */
export type ExchangeFailure = Extract<
  ErrorCode,
  | 'authorization_denied'
  | 'authorization_failed'
  | 'authorization_server_invalid'
  | 'upstream_unreachable'
  | 'upstream_protocol_error'
>

export type ExchangeResult =
  | { readonly kind: 'ok'; readonly tokens: TokenSet }
  | { readonly kind: 'failed'; readonly failure: ExchangeFailure }

export type TokenEndpoint = ReturnType<typeof createTokenEndpoint>

type Deps = { readonly fetch: GuardedFetch; readonly clock: Clock }

const maxTokenResponseBytes = 64 * 1024
const exchangeMs = 12_000
const revocationMs = 5_000

/**
 * Requests to a token endpoint (RFC 6749 section 3.2) and a revocation endpoint (RFC 7009). openid-client makes the requests
 * and checks the callback; the answers are classified here from what came over the wire, never from message texts.
 */
export function createTokenEndpoint({ fetch, clock }: Deps) {
  /** A configuration for one request, and what its answer was. */
  function prepare(server: TokenServer & Partial<AuthorizationServer>, client: Client, totalMs: number) {
    const observed: { answer?: TokenAnswer; failure?: unknown } = {}
    const config = new oauth.Configuration(
      {
        issuer: server.issuer,
        token_endpoint: server.tokenEndpoint,
        ...(server.revocationEndpoint === undefined ? {} : { revocation_endpoint: server.revocationEndpoint }),
        ...(server.isIssParameterSupported === true ? { authorization_response_iss_parameter_supported: true } : {}),
      },
      client.clientId,
      client.clientSecret === undefined ? undefined : { client_secret: client.clientSecret.reveal() },
      clientAuthentication(client),
    )
    // plain http is the egress guard's to judge
    oauth.allowInsecureRequests(config)
    config.timeout = totalMs / 1000 + 1
    config[oauth.customFetch] = async (url, init) => {
      try {
        const response = await fetch(url, {
          method: init.method,
          headers: init.headers,
          ...(init.body === undefined ? {} : { body: init.body as NonNullable<RequestInit['body']> }),
          maxBytes: maxTokenResponseBytes,
          totalMs,
        })
        const body = await readJson(response)
        observed.answer = { status: response.status, retryAfter: response.headers.get('retry-after'), body }
        return forLibrary(observed.answer)
      } catch (error) {
        observed.failure = error
        throw error
      }
    }
    return { config, observed }
  }

  /** Runs a grant request; the outcome is read from the wire, whatever the library made of it. */
  async function outcomeOf(
    observed: { answer?: TokenAnswer; failure?: unknown },
    request: () => Promise<unknown>,
  ): Promise<TokenOutcome> {
    try {
      await request()
    } catch (error) {
      if (observed.answer === undefined) return classifyFailure(observed.failure ?? error)
    }
    return observed.answer === undefined ? { kind: 'malformed' } : classifyAnswer(observed.answer, clock.now())
  }

  return {
    /**
     * Checks the callback (state, `iss` by RFC 9207's table with plain comparison, error responses) and exchanges the code.
     * The code goes to the pinned token endpoint only, and only after these checks.
     */
    async exchangeCode(request: {
      readonly server: AuthorizationServer
      readonly client: Client
      readonly redirectUri: string
      readonly callbackParameters: URLSearchParams
      readonly expectedState: string
      readonly codeVerifier: Secret
    }): Promise<ExchangeResult> {
      const { server, client, redirectUri, callbackParameters, expectedState, codeVerifier } = request
      const { config, observed } = prepare(server, client, exchangeMs)
      const callback = new URL(redirectUri)
      // `code`, `error`, `state` and `iss` are what we know; a stray id_token or response is not for the library to act on
      for (const name of ['code', 'error', 'state', 'iss']) {
        const value = callbackParameters.get(name)
        if (value !== null) callback.searchParams.set(name, value)
      }
      let refusal: unknown
      const outcome = await outcomeOf(observed, async () => {
        try {
          await oauth.authorizationCodeGrant(
            config,
            callback,
            { pkceCodeVerifier: codeVerifier.reveal(), expectedState },
            resourceParameter(server.resource),
          )
        } catch (error) {
          refusal = error
          throw error
        }
      })
      if (observed.answer === undefined && observed.failure === undefined) {
        // refused before anything was sent: the error response of the server, or a callback that is not its
        return { kind: 'failed', failure: callbackFailure(refusal) }
      }
      if (outcome.kind === 'ok') return outcome
      if (outcome.kind === 'transient') return { kind: 'failed', failure: 'upstream_unreachable' }
      return {
        kind: 'failed',
        failure: outcome.kind === 'malformed' ? 'upstream_protocol_error' : 'authorization_failed',
      }
    },

    /** Redeems a refresh token (RFC 6749 section 6) with the same `resource` as before (RFC 8707). */
    async refresh(request: {
      readonly server: TokenServer
      readonly client: Client
      readonly refreshToken: Secret
      readonly resource: string | null
    }): Promise<RefreshOutcome> {
      const { config, observed } = prepare(request.server, request.client, exchangeMs)
      return outcomeOf(observed, () =>
        oauth.refreshTokenGrant(config, request.refreshToken.reveal(), resourceParameter(request.resource)),
      )
    },

    /** Revokes a token, best effort: whatever comes of it is nobody's error. */
    async revoke(request: {
      readonly server: RevocationServer
      readonly client: Client
      readonly token: Secret
    }): Promise<void> {
      const { config, observed } = prepare(request.server, request.client, revocationMs)
      await outcomeOf(observed, () => oauth.tokenRevocation(config, request.token.reveal()))
    },
  }
}

const resourceParameter = (resource: string | null | undefined): Record<string, string> =>
  resource === null || resource === undefined ? {} : { resource }

function clientAuthentication({ clientSecret, tokenEndpointAuthMethod }: Client): oauth.ClientAuth {
  if (clientSecret === undefined) return oauth.None()
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? oauth.ClientSecretPost(clientSecret.reveal())
    : oauth.ClientSecretBasic(clientSecret.reveal())
}

/** Which check of the callback failed. An `iss` that is not the pinned one hides everything else that the callback says. */
function callbackFailure(error: unknown): ExchangeFailure {
  if (error instanceof oauth.AuthorizationResponseError) {
    return error.error === 'access_denied' ? 'authorization_denied' : 'authorization_failed'
  }
  return 'authorization_server_invalid'
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

/**
 * The answer in the form that the library insists on. What it is lenient or strict about does not matter: the outcome is
 * read from the answer itself. An id_token is left out, since nobody asked for one.
 */
function forLibrary({ status, body }: TokenAnswer): Response {
  if (typeof body !== 'object' || body === null)
    return new Response(null, { status: status === 200 ? 200 : Math.max(status, 200) })
  const { id_token: _, ...rest } = body as Record<string, unknown>
  const isError = 'error' in rest && status < 400
  return Response.json(rest, { status: isError ? 400 : status })
}
