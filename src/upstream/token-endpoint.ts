import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  ClientError,
  Configuration,
  clientCredentialsGrant,
  customFetch,
  refreshTokenGrant,
  tokenRevocation,
} from 'openid-client'
import type { GuardedFetch, GuardedRequestInit } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import { type Clock, systemClock } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import type { SigningKey } from '../vault/stored-keys.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { Client } from './client.ts'
import { clientAuthentication } from './client-authentication.ts'
import { classifyTokenAnswer, isClientUnknown, type TokenAnswer, type TokenOutcome } from './token-outcome.ts'
import type { TokenSet } from './token-response.ts'

export type { TokenSet } from './token-response.ts'

export type CodeExchange = {
  readonly server: AuthorizationServer
  readonly client: Client
  readonly redirectUri: string
  /** The query of the callback, as received. */
  readonly callbackParameters: URLSearchParams
  readonly expectedState: string
  readonly codeVerifier: Secret
}

/** Why no grant came of an authorization. Each is a code that people are told about. */
export type ExchangeFailure =
  | 'authorization_denied'
  | 'authorization_failed'
  | 'authorization_server_invalid'
  | 'upstream_unreachable'
  | 'upstream_timeout'
  | 'upstream_error'
  | 'upstream_protocol_error'

export type ExchangeResult =
  | { readonly kind: 'ok'; readonly tokens: TokenSet }
  | {
      readonly kind: 'failed'
      readonly failure: ExchangeFailure
      /** True when the server says that it does not know the client, or not with this secret. */
      readonly isClientUnknown: boolean
    }

export type Refresh = {
  /** As pinned when the grant was made; nothing is discovered anew (MX-04). */
  readonly server: Pick<AuthorizationServer, 'issuer' | 'tokenEndpoint'>
  readonly client: Client
  readonly refreshToken: Secret
  /** The `resource` of the authorization; null: none was sent. */
  readonly resource: string | null
  /** Only to narrow: without it the scopes stay what they are (RFC 6749 section 6). */
  readonly scopes?: readonly string[]
}

export type RefreshOutcome = TokenOutcome

export type ClientCredentials = {
  readonly server: Pick<AuthorizationServer, 'issuer' | 'tokenEndpoint'>
  readonly client: Client
  /** The `resource` of the grant; null: none is sent. */
  readonly resource: string | null
  /** Empty: none are named. */
  readonly scopes: readonly string[]
}

export type Revocation = {
  readonly server: Pick<AuthorizationServer, 'issuer' | 'tokenEndpoint'> & { readonly revocationEndpoint: string }
  readonly client: Client
  readonly token: Secret
}

export type TokenEndpoint = {
  /**
   * Judges the callback (state; RFC 9207: `iss` by plain comparison, before anything else in it counts) and exchanges
   * the code. The code goes nowhere when the callback is not from the server that was asked.
   */
  exchangeCode(exchange: CodeExchange): Promise<ExchangeResult>
  /** Redeems a refresh token once, within 12 seconds. Every way in which it can end is an outcome. */
  refresh(refresh: Refresh): Promise<RefreshOutcome>
  /**
   * Asks for a token on the client's own account (RFC 6749 section 4.4, with RFC 8707's `resource`), within 12 seconds.
   * Every way in which it can end is an outcome.
   */
  clientCredentials(request: ClientCredentials): Promise<TokenOutcome>
  /**
   * Asks for a token to be revoked (RFC 7009), within 5 seconds. What the server answers does not matter.
   *
   * @throws AppError of the guarded fetch when it could not be asked
   */
  revoke(revocation: Revocation): Promise<void>
}

export type TokenEndpointDeps = {
  readonly fetch: GuardedFetch
  readonly clock?: Clock
  /** Signs the assertions of clients with `private_key_jwt`; without it there must be none such. */
  readonly signingKey?: () => Promise<SigningKey>
}

const maxBytes = 64 * 1024
type Sending = Pick<GuardedRequestInit, 'totalMs' | 'maxBytes' | 'keepSocket'>
/** A code is good for one request, so it gets a socket that is surely fresh. */
const exchanging: Sending = { totalMs: 15_000, maxBytes }
/** A refresh that met a dying socket is tried once more; a new TLS connection for each would be most of its cost. */
const refreshing: Sending = { totalMs: 12_000, maxBytes, keepSocket: true }
const revokeMs = 5000

/**
 * Speaks to token and revocation endpoints. openid-client builds and authenticates the requests and judges callbacks;
 * the answers are read by `classifyTokenAnswer`, since a strict parser takes offence at much that works in the world
 * (errors with status 200, `expires_in` as text, ID tokens that nobody asked for) and tells too little apart. To
 * openid-client each answer is therefore a stand-in that it has no quarrel with.
 */
export function createTokenEndpoint(deps: TokenEndpointDeps): TokenEndpoint {
  const { fetch, clock = systemClock, signingKey = noSigningKey } = deps

  /** Lets openid-client send one token request, and judges what comes back. */
  const request = async (
    server: Refresh['server'] & Partial<AuthorizationServer>,
    client: Client,
    sending: Sending,
    send: (config: Configuration) => Promise<unknown>,
  ): Promise<TokenOutcome | null> => {
    let outcome: TokenOutcome | null = null
    const config = await configure(server, client, signingKey)
    config[customFetch] = async (url, { method, headers, body }) => {
      outcome = classifyTokenAnswer(await ask(url, { method, headers, body: formOf(body), ...sending }))
      return Response.json({ access_token: 'stand-in', token_type: 'bearer' })
    }
    await send(config)
    return outcome
  }

  const ask = async (...request: Parameters<GuardedFetch>): Promise<TokenAnswer> => {
    try {
      const response = await fetch(...request)
      const retryAfter = response.headers.get('retry-after')
      return { kind: 'answer', status: response.status, body: await response.text(), retryAfter, at: clock.now() }
    } catch (error) {
      if (error instanceof AppError) return { kind: 'failure', error }
      throw error
    }
  }

  return {
    async exchangeCode({ server, client, redirectUri, callbackParameters, expectedState, codeVerifier }) {
      const callback = new URL(redirectUri)
      callback.search = callbackParameters.toString()
      for (const name of unasked) callback.searchParams.delete(name)
      try {
        const outcome = await request(server, client, exchanging, (config) =>
          authorizationCodeGrant(
            config,
            callback,
            { expectedState, pkceCodeVerifier: codeVerifier.reveal() },
            server.resource === null ? {} : { resource: server.resource },
          ),
        )
        return toExchangeResult(outcome)
      } catch (error) {
        const failure = callbackFailure(error)
        if (failure === null) throw error
        return failed(failure)
      }
    },

    async refresh({ server, client, refreshToken, resource, scopes }) {
      const outcome = await request(server, client, refreshing, (config) =>
        refreshTokenGrant(config, refreshToken.reveal(), {
          ...(resource === null ? {} : { resource }),
          ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
        }),
      )
      return outcome ?? { kind: 'malformed' }
    },

    async clientCredentials({ server, client, resource, scopes }) {
      const outcome = await request(server, client, refreshing, (config) =>
        clientCredentialsGrant(config, {
          ...(resource === null ? {} : { resource }),
          ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
        }),
      )
      return outcome ?? { kind: 'malformed' }
    },

    async revoke({ server, client, token }) {
      const config = await configure(server, client, signingKey)
      config[customFetch] = async (url, { method, headers, body }) => {
        await fetch(url, { method, headers, body: formOf(body), totalMs: revokeMs, maxBytes })
        return new Response(null, { status: 200 })
      }
      try {
        await tokenRevocation(config, token.reveal())
      } catch (error) {
        throw error instanceof ClientError && error.cause instanceof AppError ? error.cause : error
      }
    },
  }
}

/** Answers of other flows than ours, at which openid-client gives up; RFC 6749 section 4.1.2 has us pass over them. */
const unasked = ['id_token', 'token']

async function noSigningKey(): Promise<never> {
  throw new Error('a client with private_key_jwt, and no key to sign with')
}

async function configure(
  server: Partial<AuthorizationServer> & Refresh['server'],
  client: Client,
  signingKey: () => Promise<SigningKey>,
): Promise<Configuration> {
  const config = new Configuration(
    {
      issuer: server.issuer,
      token_endpoint: server.tokenEndpoint,
      ...(server.revocationEndpoint === undefined ? {} : { revocation_endpoint: server.revocationEndpoint }),
      authorization_response_iss_parameter_supported: server.isIssParameterSupported ?? false,
    },
    client.clientId,
    undefined,
    await clientAuthentication(client, signingKey),
  )
  // Which destinations may be asked over http, and for how long, is for the egress guard to say.
  allowInsecureRequests(config)
  config.timeout = undefined
  return config
}

function formOf(body: unknown): URLSearchParams {
  if (body instanceof URLSearchParams) return body
  throw new TypeError('openid-client sends forms to these endpoints')
}

function toExchangeResult(outcome: TokenOutcome | null): ExchangeResult {
  switch (outcome?.kind) {
    case 'ok':
      return outcome
    case 'transient':
      return failed(outcome.reason === 'egress_blocked' ? 'upstream_unreachable' : outcome.reason)
    case 'malformed':
    case undefined:
      return failed('upstream_protocol_error')
    case 'client_rejected':
      return failed('authorization_failed', isClientUnknown(outcome))
    default:
      return failed('authorization_failed')
  }
}

function failed(failure: ExchangeFailure, isClientUnknown = false): ExchangeResult {
  return { kind: 'failed', failure, isClientUnknown }
}

/** RFC 6749 section 4.1.2.1. Whatever else is wrong with a callback: it is not from the server that was asked. */
function callbackFailure(error: unknown): ExchangeFailure | null {
  if (error instanceof AuthorizationResponseError) {
    if (error.error === 'access_denied') return 'authorization_denied'
    const isPassing = error.error === 'server_error' || error.error === 'temporarily_unavailable'
    return isPassing ? 'upstream_error' : 'authorization_failed'
  }
  return error instanceof ClientError && error.code === 'OAUTH_INVALID_RESPONSE' ? 'authorization_server_invalid' : null
}
