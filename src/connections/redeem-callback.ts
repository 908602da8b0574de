import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Background } from '../log/background.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { Client } from '../upstream/client.ts'
import type { Probe } from '../upstream/probe.ts'
import type { ExchangeFailure, TokenEndpoint, TokenSet } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import type { Connection } from './connection.ts'
import { openVerifier } from './connection-secrets.ts'
import { bearer } from './credential.ts'
import { newGrant } from './new-grant.ts'
import { rememberTransport } from './remember-transport.ts'
import { stepUp } from './step-up.ts'
import type { ConnectionStore, Flow, RegistrationStore, TicketStore } from './store.ts'

/** `link_expired`: another attempt, or a disconnect, was quicker. */
export type FlowFailure = ExchangeFailure | 'link_expired' | 'access_token_rejected' | 'insufficient_scope'

export type Redemption =
  | { readonly kind: 'connected'; readonly connector: Connector; readonly connection: Connection }
  | { readonly kind: 'failed'; readonly failure: FlowFailure }
  /** What was to be connected is gone. */
  | { readonly kind: 'gone' }

type Deps = {
  readonly connections: ConnectionStore
  readonly connectors: ConnectorStore
  readonly tickets: Pick<TicketStore, 'unpin'>
  readonly registrations: Pick<RegistrationStore, 'delete'>
  readonly findClient: FindClient
  readonly tokenEndpoint: TokenEndpoint
  readonly probe: Probe
  readonly background: Background
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly redirectUri: string
}

/**
 * Makes a grant of a callback: checks it (`iss` by RFC 9207), exchanges the code at the pinned token endpoint, tries the
 * new token, and stores the grant. The old grant works until then.
 *
 * @param parameters of the callback, each of them at most once
 */
export function createRedeemCallback(deps: Deps) {
  const { connections, connectors, registrations, tickets, findClient, tokenEndpoint, probe } = deps
  const { background, vault, clock } = deps

  return async (flow: Flow, parameters: URLSearchParams): Promise<Redemption> => {
    const failed = (failure: FlowFailure): Redemption => ({ kind: 'failed', failure })
    const connection = await connections.find(flow.tenantId, flow.connectionId)
    const connector = connection === null ? null : await connectors.find(flow.tenantId, connection.connectorId)
    if (connection === null || connector === null) return { kind: 'gone' }
    if (connection.grantEpoch !== flow.grantEpoch) return failed('link_expired')

    const { server, client: pinned, clientSource, registrationId } = flow.authorization
    const client = await findClient(connector, {
      tenantId: flow.tenantId,
      issuer: server.issuer,
      clientSource,
      registrationId,
      ...pinned,
    })
    if (client === null) return failed('authorization_failed')

    const requestedAt = clock.now()
    const exchange = await tokenEndpoint.exchangeCode({
      server,
      client,
      redirectUri: deps.redirectUri,
      callbackParameters: parameters,
      expectedState: parameters.get('state') ?? '',
      codeVerifier: openVerifier(vault, flow),
    })
    if (exchange.kind === 'failed') {
      // registered anew by the next attempt
      if (exchange.isClientUnknown && registrationId !== null) {
        await registrations.delete(flow.tenantId, registrationId)
      }
      await recordFailure(connection, exchange.failure)
      return failed(exchange.failure)
    }
    const { tokens } = exchange

    const outcome = await probe({
      url: new URL(connector.url),
      headers: bearer(tokens.accessToken),
      transport: connector.transport,
    })
    if (outcome.kind === 'unauthorized') {
      revokeLater(flow, client, tokens)
      return failed(await recordRefusal(connection, flow, outcome.challenge))
    }
    if (outcome.kind === 'ok') {
      await rememberTransport(connectors, connector, outcome, flow.initiatorPrincipalId ?? 'system')
    }
    const { authorization } = flow
    const stored = await connections.compareAndSet(
      connection,
      newGrant(vault, { connection, authorization, authType: 'oauth2', tokens, requestedAt, random: deps.random() }),
      { type: 'connector.connected', code: 'authorized' },
    )
    if (stored === null) {
      // disconnected, deleted or connected by another attempt while we were out: the person's later word counts
      revokeLater(flow, client, tokens)
      return failed('link_expired')
    }
    return { kind: 'connected', connector, connection: stored }
  }

  /**
   * The server does not take the token that its own authorization server has just given. What it says about that is for the
   * next attempt, which looks at everything anew: it may want more scopes, or name another authorization server by now.
   */
  async function recordRefusal(connection: Connection, flow: Flow, challenge: Challenge | null): Promise<FlowFailure> {
    await tickets.unpin(connection)
    if (challenge?.error !== 'insufficient_scope') {
      await connections.compareAndSet(
        connection,
        { state: 'auth_required', challenge: challenge ?? {} },
        { type: 'connector.auth_required', code: 'access_token_rejected' },
      )
      return 'access_token_rejected'
    }
    const { changes, event } = stepUp(connection, challenge, clock.now())
    await connections.compareAndSet(
      connection,
      { requestedScopes: flow.authorization.server.scopes, ...changes },
      event,
    )
    return 'insufficient_scope'
  }

  /** For whoever polls: a person who refuses, or a server that does, leaves no other trace. */
  async function recordFailure(connection: Connection, code: FlowFailure): Promise<void> {
    if (connection.state !== 'auth_required') return
    const lastError = { code, at: clock.now().toISOString(), retryable: false, attempts: 1 }
    await connections.compareAndSet(connection, { lastError }, { type: 'connector.auth_required', code })
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

export type RedeemCallback = ReturnType<typeof createRedeemCallback>
