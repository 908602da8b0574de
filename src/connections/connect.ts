import type { Connector } from '../connectors/connector.ts'
import { openFixedToken } from '../connectors/connector-secrets.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Probe, ProbeOutcome } from '../upstream/probe.ts'
import type { Vault } from '../vault/vault.ts'
import type { ConnectAsClient } from './connect-as-client.ts'
import { type Connection, hasUsableGrant, isRenewable } from './connection.ts'
import { sealFor } from './connection-secrets.ts'
import { credentialHeaders, fixedToken } from './credential.ts'
import { cleared, withoutGrant } from './grant-changes.ts'
import { inTime } from './in-time.ts'
import type { MintTicket, TicketRequest } from './mint-ticket.ts'
import type { PrepareAuthorization } from './prepare-authorization.ts'
import { probeFailure } from './probe-failure.ts'
import type { RedirectPolicy } from './redirect-policy.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import { rememberTransport } from './remember-transport.ts'
import type { ConnectionStore } from './store.ts'
import { bindingFor } from './whose-connection.ts'

export type ConnectRequest = {
  readonly redirectUrl?: string
  readonly accessToken?: Secret
  /** The callback parks the code until the initiator posts the completion that comes with `redirectUrl`. */
  readonly wantsCompletion?: boolean
  /** The person for whom a manager connects. */
  readonly subject?: string
}

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly probe: Probe
  readonly prepareAuthorization: PrepareAuthorization
  readonly connectAsClient: ConnectAsClient
  readonly mintTicket: MintTicket
  readonly refreshConnection: RefreshConnection
  readonly redirectPolicy: RedirectPolicy
  readonly vault: Vault
  readonly clock: Clock
  /** For a connect as a whole, in milliseconds. */
  readonly totalMs: number
}

/**
 * Connects: tries the server with what there is, and when it asks for authorization, finds out where and prepares the
 * link. May be called from any state and repeated; a grant that works goes on working until a new one is stored.
 *
 * @returns the connection, `connected` or `auth_required`
 * @throws AppError `forbidden`, `subject_required`, `connector_disabled`, `redirect_url_not_allowed`,
 *   `access_token_rejected`, `upstream_error` and `upstream_protocol_error` (it answered, but not as an MCP server),
 *   `upstream_unreachable`, `upstream_timeout`, and those of discovery and registration; none of them changes the state
 */
export function createConnect(deps: Deps) {
  const { connections, probe, mintTicket, refreshConnection, redirectPolicy, vault, clock } = deps

  return (principal: Principal, connector: Connector, request: ConnectRequest): Promise<Connection> =>
    inTime(deps.totalMs, (stillInTime) => connect(principal, connector, request, stillInTime))

  async function connect(
    principal: Principal,
    connector: Connector,
    request: ConnectRequest,
    stillInTime: () => void,
  ): Promise<Connection> {
    if (!connector.enabled) throw new AppError('connector_disabled', 'connect on a disabled connector')
    const binding = bindingFor(principal, connector, request.subject)
    const redirectUrl = request.redirectUrl === undefined ? null : redirectPolicy(request.redirectUrl)
    const wantsCompletion = request.wantsCompletion === true
    if (wantsCompletion && redirectUrl === null) throw completionNeedsRedirect()
    // made only when there is something to store: a connect that fails leaves no trace
    const ensure = () => connections.ensure(connector.tenantId, connector.id, binding.scope, binding.subjectId)
    let connection = await connections.findOf(connector.tenantId, connector.id, binding.scope, binding.subjectId)

    const given = request.accessToken ?? fixedTokenFor(connector, connection)
    if (given !== undefined) return connectWithToken(principal, connector, ensure, given)

    let outcome = await probeAs(connector, connection)
    const canRenew = connection !== null && isRenewable(connection) && connection.challenge === null
    if (outcome.kind === 'unauthorized' && connection !== null && canRenew) {
      const refreshed = await refreshConnection(connection)
      stillInTime()
      if (refreshed.kind === 'refreshed' || refreshed.kind === 'adopted') {
        connection = refreshed.connection
        outcome = await probeAs(connector, connection)
      } else {
        connection = await connections.find(connection.tenantId, connection.id)
      }
    }
    if (connector.authType === 'client_credentials' && needsGrant(outcome, connection)) {
      const challenge = outcome.kind === 'unauthorized' ? outcome.challenge : null
      return storedOr(await deps.connectAsClient(principal, connector, { challenge, ensure }))
    }
    if (outcome.kind === 'ok') {
      await rememberTransport(deps.connectors, connector, outcome, principal.id)
      return markConnected(principal, connection ?? (await ensure()))
    }
    if (outcome.kind !== 'unauthorized') throw probeFailure(outcome)
    if (connector.authType === 'none') throw authorizationUnexpected()
    if (connector.authType === 'token') throw accessTokenRejected(outcome.status)
    stillInTime()
    const authorization = await deps.prepareAuthorization(connector, outcome.challenge, connection?.requestedScopes)
    const link = { redirectUrl, wantsCompletion, authorization }
    stillInTime()
    return requireAuthorization(principal, connection ?? (await ensure()), link)
  }

  /** The connector's own token, unless the connection holds one that may still be good. */
  function fixedTokenFor(connector: Connector, connection: Connection | null): Secret | undefined {
    if (connector.authType !== 'token' || (connection !== null && hasUsableGrant(connection))) return undefined
    const token = openFixedToken(vault, connector)
    if (token === undefined) throw accessTokenMissing()
    return token
  }

  /** A challenge that a relayed call met is believed before a probe that may pass without a token. */
  async function probeAs(connector: Connector, connection: Connection | null): Promise<ProbeOutcome> {
    const challenge = connection?.challenge ?? null
    if (challenge !== null) return { kind: 'unauthorized', status: 401, challenge }
    if (connector.authType === 'oauth2' && (connection === null || !hasUsableGrant(connection)))
      return { kind: 'unauthorized', status: 401, challenge: null }
    const headers = connection === null ? {} : credentialHeaders(vault, connector, connection)
    return probe({ url: new URL(connector.url), headers, transport: connector.transport })
  }

  async function connectWithToken(
    principal: Principal,
    connector: Connector,
    ensure: () => Promise<Connection>,
    accessToken: Secret,
  ): Promise<Connection> {
    const outcome = await probe({
      url: new URL(connector.url),
      headers: fixedToken(connector, accessToken),
      transport: connector.transport,
    })
    if (outcome.kind === 'unauthorized') throw accessTokenRejected(outcome.status)
    if (outcome.kind !== 'ok') throw probeFailure(outcome)
    await rememberTransport(deps.connectors, connector, outcome, principal.id)
    const connection = await ensure()
    return storedOr(
      await connections.compareAndSet(
        connection,
        {
          ...withoutGrant,
          state: 'connected',
          authType: 'token',
          grantEpoch: connection.grantEpoch + 1,
          tokenVersion: 0,
          sealedAccessToken: sealFor(vault, 'accessToken', connection, accessToken),
        },
        { type: 'connector.connected', code: 'access_token', actorId: principal.id },
      ),
    )
  }

  async function markConnected(principal: Principal, connection: Connection): Promise<Connection> {
    if (connection.state === 'connected') return connection
    const keepsGrant = connection.sealedAccessToken !== null
    const stored = await connections.compareAndSet(
      connection,
      {
        ...(keepsGrant ? cleared : { ...withoutGrant, authType: 'none', grantEpoch: connection.grantEpoch + 1 }),
        state: 'connected',
      },
      {
        type: 'connector.connected',
        ...(keepsGrant ? {} : { code: 'no_authorization_needed' }),
        actorId: principal.id,
      },
    )
    if (stored !== null) return stored
    // of two connects at once, both are told the same
    const current = await connections.find(connection.tenantId, connection.id)
    return storedOr(current?.state === 'connected' ? current : null)
  }

  async function requireAuthorization(
    principal: Principal,
    connection: Connection,
    link: Omit<TicketRequest, 'initiator'>,
  ): Promise<Connection> {
    const waiting =
      connection.state === 'auth_required'
        ? connection
        : storedOr(
            await connections.compareAndSet(
              connection,
              { ...cleared, challenge: connection.challenge, state: 'auth_required' },
              { type: 'connector.auth_required', actorId: principal.id },
            ),
          )
    await mintTicket(waiting, { ...link, initiator: principal })
    return waiting
  }

  function storedOr(stored: Connection | null): Connection {
    if (stored !== null) return stored
    throw new AppError('conflict', 'connection changed during connect', { meta: { at: clock.now() } })
  }
}

export type Connect = ReturnType<typeof createConnect>

/** With client_credentials: whether a token is to be asked for. A server that happens to answer without one does not decide. */
function needsGrant(outcome: ProbeOutcome, connection: Connection | null): boolean {
  return (
    outcome.kind === 'unauthorized' || (outcome.kind === 'ok' && !(connection !== null && hasUsableGrant(connection)))
  )
}

function accessTokenRejected(status: number): AppError {
  return new AppError('access_token_rejected', 'given token refused by the upstream', { meta: { status } })
}

function accessTokenMissing(): AppError {
  const message = 'This connector takes a fixed token. Send it as access_token, or give it to the connector in `auth`.'
  return new AppError('invalid_request', 'connect without a token', {
    publicDetail: message,
    fields: [{ path: 'access_token', message }],
  })
}

function authorizationUnexpected(): AppError {
  return new AppError('upstream_error', 'a server declared open asks for authorization', {
    publicDetail:
      'This connector is set to need no authorization, but its server asks for one. Change its auth type to auto.',
  })
}

function completionNeedsRedirect(): AppError {
  const message = 'A completion comes back with redirect_url, so give one.'
  return new AppError('invalid_request', 'completion without redirect_url', {
    publicDetail: message,
    fields: [{ path: 'redirect_url', message }],
  })
}
