import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  ClientError,
  Configuration,
  customFetch,
  tokenRevocation,
} from 'openid-client'
import type { ExchangeBounds } from '../egress/guarded-exchange.ts'
import type { GuardedPost } from '../egress/guarded-post.ts'
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
   * @throws AppError of the guarded post when it could not be asked
   */
  revoke(revocation: Revocation): Promise<void>
}

export type TokenEndpointDeps = {
  readonly post: GuardedPost
  readonly clock?: Clock
  /** Signs the assertions of clients with `private_key_jwt`; without it there must be none such. */
  readonly signingKey?: () => Promise<SigningKey>
}

const maxBytes = 64 * 1024
/** A code is good for one request, so it gets a socket that is surely fresh. */
const exchanging: ExchangeBounds = { totalMs: 15_000, maxBytes }
/** A refresh that met a dying socket is tried once more; a new TLS connection for each would be most of its cost. */
const refreshing: ExchangeBounds = { totalMs: 12_000, maxBytes, keepSocket: true }
const revokeMs = 5000
const formType = 'application/x-www-form-urlencoded;charset=UTF-8'

/**
 * Speaks to token and revocation endpoints. openid-client authenticates the client in all requests, judges callbacks and builds
 * what comes of them; the answers are read by `classifyTokenAnswer`, since a strict parser takes offence at much that works in
 * the world (errors with status 200, `expires_in` as text, ID tokens that nobody asked for) and tells too little apart. To
 * openid-client each answer is therefore a stand-in that it has no quarrel with.
 */
export function createTokenEndpoint(deps: TokenEndpointDeps): TokenEndpoint {
  const { post, clock = systemClock, signingKey = noSigningKey } = deps

  const ask = async (...request: Parameters<GuardedPost>): Promise<TokenAnswer> => {
    try {
      const { status, headers, text } = await post(...request)
      return { kind: 'answer', status, body: text, retryAfter: headers.get('retry-after'), at: clock.now() }
    } catch (error) {
      if (error instanceof AppError) return { kind: 'failure', error }
      throw error
    }
  }

  /**
   * A grant that is one form (RFC 6749 sections 4.4 and 6): there is no callback to judge, and what openid-client would make of
   * a stand-in answer costs more than the request, a thousand times a second.
   */
  const requestGrant = async (
    { issuer, tokenEndpoint }: Refresh['server'],
    client: Client,
    parameters: Readonly<Record<string, string>>,
  ): Promise<TokenOutcome> => {
    const form = new URLSearchParams(parameters)
    const authorization = new Headers()
    const authenticate = await clientAuthentication(client, signingKey)
    await authenticate({ issuer, token_endpoint: tokenEndpoint }, { client_id: client.clientId }, form, authorization)
    const headers = { accept: 'application/json', 'content-type': formType, ...Object.fromEntries(authorization) }
    return classifyTokenAnswer(await ask(tokenEndpoint, { headers, body: form.toString(), ...refreshing }))
  }

  return {
    async exchangeCode({ server, client, redirectUri, callbackParameters, expectedState, codeVerifier }) {
      const callback = new URL(redirectUri)
      callback.search = callbackParameters.toString()
      for (const name of unasked) callback.searchParams.delete(name)
      try {
        let outcome: TokenOutcome | null = null
        const config = await configure(server, client, signingKey)
        config[customFetch] = async (url, { headers, body }) => {
          outcome = classifyTokenAnswer(await ask(url, { headers, body: formOf(body), ...exchanging }))
          return Response.json({ access_token: 'stand-in', token_type: 'bearer' })
        }
        await authorizationCodeGrant(
          config,
          callback,
          { expectedState, pkceCodeVerifier: codeVerifier.reveal() },
          server.resource === null ? {} : { resource: server.resource },
        )
        return toExchangeResult(outcome)
      } catch (error) {
        const failure = callbackFailure(error)
        if (failure === null) throw error
        return failed(failure)
      }
    },

    refresh: ({ server, client, refreshToken, resource, scopes }) =>
      requestGrant(server, client, {
        grant_type: 'refresh_token',
        refresh_token: refreshToken.reveal(),
        ...(resource === null ? {} : { resource }),
        ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
      }),

    clientCredentials: ({ server, client, resource, scopes }) =>
      requestGrant(server, client, {
        grant_type: 'client_credentials',
        ...(resource === null ? {} : { resource }),
        ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
      }),

    async revoke({ server, client, token }) {
      const config = await configure(server, client, signingKey)
      config[customFetch] = async (url, { headers, body }) => {
        await post(url, { headers, body: formOf(body), totalMs: revokeMs, maxBytes })
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

function formOf(body: unknown): string {
  if (body instanceof URLSearchParams) return body.toString()
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
