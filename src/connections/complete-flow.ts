import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken, Secret } from '../kernel/secret.ts'
import type { Background } from '../log/background.ts'
import type { Client } from '../upstream/client.ts'
import type { Probe } from '../upstream/probe.ts'
import type { ExchangeFailure, TokenEndpoint, TokenSet } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import type { Connection } from './connection.ts'
import { openVerifier, sealFor } from './connection-secrets.ts'
import { cleared } from './grant-changes.ts'
import { accessExpiry, refreshTime } from './schedule.ts'
import type { ConnectionChanges, ConnectionStore, Flow, FlowStore } from './store.ts'

/** `link_expired`: another attempt, or a disconnect, was quicker. */
export type FlowFailure = ExchangeFailure | 'link_expired' | 'access_token_rejected'

export type FlowResult =
  | { readonly kind: 'connected'; readonly connector: Connector; readonly redirectUrl: string | null }
  | { readonly kind: 'failed'; readonly failure: FlowFailure; readonly redirectUrl: string | null }
  /** Unknown, expired, used or another browser's: nobody learns which. */
  | { readonly kind: 'unknown' }

export type Callback = {
  /** The query of the callback, as received. */
  readonly parameters: URLSearchParams
  /** What the browser's cookie holds. */
  readonly browserToken: string | null
}

type Deps = {
  readonly flows: FlowStore
  readonly connections: ConnectionStore
  readonly connectors: ConnectorStore
  readonly findClient: FindClient
  readonly tokenEndpoint: TokenEndpoint
  readonly probe: Probe
  readonly background: Background
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly redirectUri: string
}

const maxCodeLength = 4096
const maxStateLength = 256

/**
 * Ends an authorization attempt (RFC 6749 section 4.1.2, RFC 9207): uses the state up, exchanges the code at the pinned
 * token endpoint, tries the new token, and stores the grant. The old grant works until then.
 */
export function createCompleteFlow(deps: Deps) {
  const { flows, connections, connectors, findClient, tokenEndpoint, probe, background, vault, clock } = deps

  return async ({ parameters, browserToken }: Callback): Promise<FlowResult> => {
    const state = soleParameter(parameters, 'state', maxStateLength)
    if (state === null || browserToken === null || !isWellFormed(parameters)) return { kind: 'unknown' }
    const flow = await flows.consume(hashToken(state), hashToken(browserToken), clock.now())
    if (flow === null) return { kind: 'unknown' }
    const failed = (failure: FlowFailure): FlowResult => ({ kind: 'failed', failure, redirectUrl: flow.redirectUrl })

    const connection = await connections.find(flow.tenantId, flow.connectionId)
    const connector = connection === null ? null : await connectors.find(flow.tenantId, connection.connectorId)
    if (connection === null || connector === null) return { kind: 'unknown' }
    if (connection.grantEpoch !== flow.grantEpoch) return failed('link_expired')

    const { server, client: pinned, clientSource, registrationId } = flow.authorization
    const client = await findClient(connector, { tenantId: flow.tenantId, clientSource, registrationId, ...pinned })
    if (client === null) return failed('authorization_failed')

    const requestedAt = clock.now()
    const exchange = await tokenEndpoint.exchangeCode({
      server,
      client,
      redirectUri: deps.redirectUri,
      callbackParameters: parameters,
      expectedState: state,
      codeVerifier: openVerifier(vault, flow),
    })
    if (exchange.kind === 'failed') return failed(exchange.failure)
    const { tokens } = exchange

    const outcome = await probe({
      url: new URL(connector.url),
      headers: { authorization: new Secret(`Bearer ${tokens.accessToken.reveal()}`) },
    })
    if (outcome.kind === 'unauthorized') {
      revokeLater(flow, client, tokens)
      return failed('access_token_rejected')
    }
    const stored = await connections.compareAndSet(connection, grantChanges(connection, flow, tokens, requestedAt), {
      type: 'connector.connected',
      code: 'authorized',
    })
    if (stored === null) {
      // disconnected, deleted or connected by another attempt while we were out: the person's later word counts
      revokeLater(flow, client, tokens)
      return failed('link_expired')
    }
    return { kind: 'connected', connector, redirectUrl: flow.redirectUrl }
  }

  function grantChanges(connection: Connection, flow: Flow, tokens: TokenSet, requestedAt: Date): ConnectionChanges {
    const { server, client, clientSource, registrationId } = flow.authorization
    const accessExpiresAt = accessExpiry(requestedAt, tokens.expiresInSeconds)
    const { refreshToken } = tokens
    return {
      ...cleared,
      state: 'connected',
      authType: 'oauth2',
      issuer: server.issuer,
      tokenEndpoint: server.tokenEndpoint,
      revocationEndpoint: server.revocationEndpoint ?? null,
      resource: server.resource,
      clientId: client.clientId,
      clientSource,
      registrationId,
      tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
      scopes: tokens.scopes ?? server.scopes,
      grantEpoch: connection.grantEpoch + 1,
      tokenVersion: 0,
      accessExpiresAt,
      // without a refresh token the worker looks again when the access token has run out, and says so
      nextRefreshAt:
        refreshToken === undefined ? accessExpiresAt : refreshTime(requestedAt, accessExpiresAt, deps.random()),
      sealedAccessToken: sealFor(vault, 'accessToken', connection, tokens.accessToken),
      sealedRefreshToken: refreshToken === undefined ? null : sealFor(vault, 'refreshToken', connection, refreshToken),
    }
  }

  function revokeLater(flow: Flow, client: Client, tokens: TokenSet): void {
    const { server } = flow.authorization
    if (server.revocationEndpoint === undefined) return
    const { issuer, tokenEndpoint: endpoint, revocationEndpoint } = server
    const token = tokens.refreshToken ?? tokens.accessToken
    background.run('revoke', () =>
      tokenEndpoint.revoke({ server: { issuer, tokenEndpoint: endpoint, revocationEndpoint }, client, token }),
    )
  }
}

export type CompleteFlow = ReturnType<typeof createCompleteFlow>

/** The value of a parameter that occurs exactly once, is not empty and not too long; null otherwise. */
function soleParameter(parameters: URLSearchParams, name: string, maxLength: number): string | null {
  const values = parameters.getAll(name)
  const [value] = values
  return values.length === 1 && value !== undefined && value !== '' && value.length <= maxLength ? value : null
}

/** Either a code or an error, each at most once and of a sane size and form. */
function isWellFormed(parameters: URLSearchParams): boolean {
  const hasCode = parameters.has('code')
  if (hasCode === parameters.has('error')) return false
  if (['code', 'error', 'iss', 'state'].some((name) => parameters.getAll(name).length > 1)) return false
  const code = soleParameter(parameters, 'code', maxCodeLength)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !hasCode || (code !== null && !/[\u0000-\u001f\u007f]/.test(code))
}
