import { setTimeout as delay } from 'node:timers/promises'
import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Background } from '../log/background.ts'
import type { Client } from '../upstream/client.ts'
import type { RefreshOutcome, TokenEndpoint, TokenSet } from '../upstream/token-endpoint.ts'
import { isClientUnknown } from '../upstream/token-outcome.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import { type Connection, type DisconnectCode, isRenewable } from './connection.ts'
import { openRefreshToken, sealFor } from './connection-secrets.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import { cleared, withoutGrant } from './grant-changes.ts'
import { accessExpiry, refreshTime, retryDelayMs } from './schedule.ts'
import type { ConnectionStore, RegistrationStore } from './store.ts'

export type RefreshResult =
  | { readonly kind: 'refreshed'; readonly connection: Connection }
  /** Another process was refreshing; this is its result. */
  | { readonly kind: 'adopted'; readonly connection: Connection }
  /** Not now, perhaps later; the grant is kept. */
  | { readonly kind: 'transient'; readonly connection: Connection }
  /** The grant is gone: refused by the authorization server, or ended by a person meanwhile. */
  | { readonly kind: 'ended' }
  /** Another process is still at it after the time that we wait. */
  | { readonly kind: 'busy' }
  /** There is nothing to refresh with. */
  | { readonly kind: 'not_refreshable' }

export type RefreshTimings = {
  /** How long a lease lasts without a heartbeat. */
  readonly leaseMs: number
  readonly heartbeatMs: number
  /** How long others wait for the holder's result. */
  readonly waitMs: number
  readonly pollMs: number
}

type Deps = {
  readonly connections: ConnectionStore
  readonly connectors: ConnectorStore
  readonly registrations: Pick<RegistrationStore, 'delete'>
  readonly tokenEndpoint: TokenEndpoint
  readonly findClient: FindClient
  readonly background: Background
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly timings: RefreshTimings
}

const maxMalformedAnswers = 5
const clientRetryMs = 900_000

/**
 * The one way in which a grant is renewed, for worker, proxy, connect and people alike.
 *
 * One attempt at a time: coalesced inside the process, and across processes by a lease in PostgreSQL that is taken before
 * the refresh token is spent. Everybody else waits and adopts the holder's result. No transaction is open while the
 * authorization server is asked, and nothing is written unless epoch and version are still those that were read: a person's
 * disconnect always wins.
 */
export function createRefreshConnection(deps: Deps) {
  const { connections, connectors, registrations, tokenEndpoint, findClient, background, vault, clock } = deps
  const { random, timings } = deps
  const inFlight = new Map<string, Promise<RefreshResult>>()

  return (seen: Connection): Promise<RefreshResult> => {
    const key = `${seen.id}:${seen.grantEpoch}`
    const running = inFlight.get(key)
    if (running !== undefined) return running
    const attempt = refresh(seen).finally(() => inFlight.delete(key))
    inFlight.set(key, attempt)
    return attempt
  }

  async function refresh(seen: Connection): Promise<RefreshResult> {
    if (!isRenewable(seen)) return { kind: 'not_refreshable' }
    const owner = newId()
    const leased = await connections.takeLease(seen, owner, timings.leaseMs)
    if (leased === null) return waitForHolder(seen)
    const heartbeat = setInterval(() => {
      background.run(
        'renew refresh lease',
        async () => void (await connections.renewLease(leased.id, owner, timings.leaseMs)),
      )
    }, timings.heartbeatMs)
    try {
      return await refreshLeased(leased)
    } finally {
      clearInterval(heartbeat)
      await connections.releaseLease(leased.id, owner)
    }
  }

  async function refreshLeased(connection: Connection): Promise<RefreshResult> {
    const connector = await connectors.find(connection.tenantId, connection.connectorId)
    const refreshToken = openRefreshToken(vault, connection)
    const { issuer, tokenEndpoint: endpoint, clientId, tokenEndpointAuthMethod } = connection
    if (connector === null || issuer === null || endpoint === null) return { kind: 'ended' }
    if (clientId === null || tokenEndpointAuthMethod === null) return { kind: 'ended' }
    const client = await findClient(connector, { ...connection, clientId, tokenEndpointAuthMethod })
    if (client === null) return end(connection, 'client_rejected')

    const server = { issuer, tokenEndpoint: endpoint }
    const { resource, requestedScopes: scopes } = connection
    // a client that acts for itself has no refresh token: it asks as it did the first time (RFC 6749 section 4.4.3)
    const ask = () =>
      refreshToken === undefined
        ? tokenEndpoint.clientCredentials({ server, client, resource, scopes })
        : tokenEndpoint.refresh({ server, client, refreshToken, resource })
    const requestedAt = clock.now()
    let outcome = await ask()
    // bytes were sent and no answer came: most servers take the same token once more within a short grace
    if (outcome.kind === 'transient' && outcome.isAmbiguous) outcome = await ask()
    return settle(connector, connection, client, outcome, requestedAt)
  }

  async function settle(
    connector: Connector,
    connection: Connection,
    client: Client,
    outcome: RefreshOutcome,
    requestedAt: Date,
  ): Promise<RefreshResult> {
    switch (outcome.kind) {
      case 'ok':
        return store(connection, client, outcome.tokens, requestedAt)
      case 'transient':
        return retryLater(
          connection,
          'upstream_unavailable',
          outcome.retryAfterMs ?? retryDelayMs(connection.failCount + 1, random()),
        )
      case 'malformed':
        return connection.failCount + 1 < maxMalformedAnswers
          ? retryLater(connection, 'malformed_token_response', retryDelayMs(connection.failCount + 1, random()))
          : end(connection, 'malformed_token_response')
      case 'client_rejected':
        // a secret of ours may be mis-deployed for a while; a client that was registered dynamically does not come back
        if (connection.clientSource !== 'registration') return retryLater(connection, 'client_rejected', clientRetryMs)
        if (isClientUnknown(outcome) && connection.registrationId !== null)
          await registrations.delete(connection.tenantId, connection.registrationId)
        return end(connection, 'client_rejected')
      case 'config':
        return end(connection, 'refresh_config_error')
      case 'rejected': {
        const current = await connections.find(connector.tenantId, connection.id)
        if (
          current !== null &&
          current.grantEpoch === connection.grantEpoch &&
          current.tokenVersion > connection.tokenVersion
        ) {
          return { kind: 'adopted', connection: current }
        }
        return end(connection, 'refresh_token_rejected')
      }
    }
  }

  async function store(
    connection: Connection,
    client: Client,
    tokens: TokenSet,
    requestedAt: Date,
  ): Promise<RefreshResult> {
    const accessExpiresAt = accessExpiry(requestedAt, tokens.expiresInSeconds)
    const stored = await connections.compareAndSet(
      connection,
      {
        ...(connection.state === 'connected' ? cleared : { lastError: null, failCount: 0 }),
        tokenVersion: connection.tokenVersion + 1,
        accessExpiresAt,
        nextRefreshAt: refreshTime(requestedAt, accessExpiresAt, random()),
        scopes: tokens.scopes ?? connection.scopes,
        sealedAccessToken: sealFor(vault, 'accessToken', connection, tokens.accessToken),
        // a server that sends no new refresh token means the old one to go on (RFC 6749 section 6)
        ...(tokens.refreshToken === undefined
          ? {}
          : { sealedRefreshToken: sealFor(vault, 'refreshToken', connection, tokens.refreshToken) }),
      },
      { type: 'connector.refreshed' },
    )
    if (stored !== null) return { kind: 'refreshed', connection: stored }
    revokeUnused(connection, client, tokens)
    return { kind: 'ended' }
  }

  async function retryLater(connection: Connection, code: string, waitMs: number): Promise<RefreshResult> {
    const now = clock.now()
    const attempts = connection.failCount + 1
    const stored = await connections.compareAndSet(
      connection,
      {
        failCount: attempts,
        nextRefreshAt: addMs(now, waitMs),
        lastError: { code, at: now.toISOString(), retryable: true, attempts },
      },
      { type: 'connector.refresh_failed', code },
    )
    return stored === null ? { kind: 'ended' } : { kind: 'transient', connection: stored }
  }

  async function end(connection: Connection, code: DisconnectCode): Promise<RefreshResult> {
    await connections.compareAndSet(
      connection,
      {
        ...withoutGrant,
        state: 'disconnected',
        disconnectCode: code,
        disconnectReason: disconnectReasons[code],
        lastError: { code, at: clock.now().toISOString(), retryable: false, attempts: connection.failCount + 1 },
        grantEpoch: connection.grantEpoch + 1,
      },
      { type: 'connector.disconnected', code, detail: disconnectReasons[code] },
    )
    return { kind: 'ended' }
  }

  async function waitForHolder(seen: Connection): Promise<RefreshResult> {
    const deadline = addMs(clock.now(), timings.waitMs)
    for (;;) {
      const current = await connections.find(seen.tenantId, seen.id)
      if (current === null || current.grantEpoch !== seen.grantEpoch) return { kind: 'ended' }
      if (current.tokenVersion > seen.tokenVersion) return { kind: 'adopted', connection: current }
      if (current.failCount > seen.failCount) return { kind: 'transient', connection: current }
      if (clock.now() >= deadline) return { kind: 'busy' }
      await delay(timings.pollMs * (1 + random()))
    }
  }

  function revokeUnused(connection: Connection, client: Client, tokens: TokenSet): void {
    const { issuer, tokenEndpoint: endpoint, revocationEndpoint } = connection
    if (issuer === null || endpoint === null || revocationEndpoint === null) return
    const token = tokens.refreshToken ?? tokens.accessToken
    background.run('revoke', () =>
      tokenEndpoint.revoke({ server: { issuer, tokenEndpoint: endpoint, revocationEndpoint }, client, token }),
    )
  }
}

export type RefreshConnection = ReturnType<typeof createRefreshConnection>
