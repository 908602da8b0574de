import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { createFindConnector } from '../connectors/visibility.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Challenge } from '../upstream/challenge.ts'
import { type Connection, isRenewable } from './connection.ts'
import type { DescribeNeed } from './describe-need.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import { type FindServer, serverRequestOf } from './find-server.ts'
import { withoutGrant } from './grant-changes.ts'
import type { MintTicket } from './mint-ticket.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import type { Resolution, ResolveUpstream, UpstreamTarget } from './resolve-upstream.ts'
import type { RevokeGrant } from './revoke-grant.ts'
import { isStepUpKnown, stepUp } from './step-up.ts'
import type { StepUpAsClient } from './step-up-as-client.ts'
import type { ConnectionStore } from './store.ts'

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly resolveUpstream: ResolveUpstream
  readonly refreshConnection: RefreshConnection
  readonly describeNeed: DescribeNeed
  readonly mintTicket: MintTicket
  readonly revokeGrant: RevokeGrant
  readonly stepUpAsClient: StepUpAsClient
  readonly findServer: FindServer
  readonly presets: PresetCatalog
  readonly clock: Clock
}

/** How the upstream refused a call. */
type Refusal = {
  readonly status: number
  readonly challenge: Challenge | null
  /** 2: of the one replay with a renewed credential. */
  readonly attempt: 1 | 2
}

const ownLink = { initiator: null, redirectUrl: null, authorization: null }

/**
 * What to do when the upstream refused a relayed call: refresh once through the one refresh path, unless the credential was
 * replaced since the call was sent. Where that does not help, the refusal is kept for the next connect, and a link is made.
 *
 * @returns `usable` when the call is worth sending once more
 * @throws AppError `not_found`, `refresh_in_progress`, `upstream_unreachable`, `storage_unavailable`
 */
export function createRecoverUnauthorized(deps: Deps) {
  const { connections, refreshConnection, resolveUpstream, describeNeed, mintTicket, findServer, clock } = deps
  const findConnector = createFindConnector(deps)
  const settling = new Map<string, Promise<void>>()

  return async (principal: Principal, target: UpstreamTarget, refusal: Refusal): Promise<Resolution> => {
    const connector = await findConnector(principal, target.connectorId)
    const connection = await connections.find(target.tenantId, target.connectionId)
    if (connection === null) throw new AppError('not_found', 'connection went away during a call')
    const isReplaced = connection.grantEpoch !== target.grantEpoch || connection.tokenVersion !== target.tokenVersion
    if (isReplaced) return resolveUpstream(principal, target.connectorId)
    const hasOwnCredential = connector.authType === 'token' || connector.authType === 'client_credentials'
    if (refusal.status === 403) {
      if (connector.authType === 'token') return describeNeed(principal, connector, connection, 'scope_for_good')
      if (connector.authType === 'client_credentials') return askAsClient(principal, connector, connection, refusal)
      return askForMore(principal, connector, connection, refusal.challenge ?? {})
    }
    // a second refusal, of a token that is brand-new, is not for another refresh to mend
    if (refusal.attempt === 1 && isRenewable(connection)) {
      const result = await refreshConnection(connection)
      if (result.kind === 'busy') throw new AppError('refresh_in_progress', 'another process refreshes')
      if (result.kind === 'spilled') throw new AppError('storage_unavailable', 'the new token waits for the database')
      if (result.kind === 'transient') throw new AppError('upstream_unreachable', 'token refresh failed for now')
      return resolveUpstream(principal, target.connectorId)
    }
    await settledOnce(connection, () =>
      hasOwnCredential ? disconnect(connection) : requireAuthorization(connector, connection, refusal.challenge),
    )
    return resolveUpstream(principal, target.connectorId)
  }

  /** A token that lacks a scope goes on serving other calls; this one needs a person, or cannot be had at all. */
  async function askForMore(
    principal: Principal,
    connector: Connector,
    connection: Connection,
    challenge: Challenge,
  ): Promise<Resolution> {
    await settledOnce(connection, async () => {
      // read again: another call may have settled it since ours was refused, without a new epoch or version
      const latest = await connections.find(connection.tenantId, connection.id)
      if (latest === null || isStepUpKnown(latest, challenge)) return
      const { changes, event, isHopeless } = stepUp(latest, challenge, clock.now())
      if (!isHopeless) await mintTicket(latest, ownLink)
      await connections.compareAndSet(latest, changes, event)
    })
    const current = await connections.find(connection.tenantId, connection.id)
    if (current === null) throw new AppError('not_found', 'connection went away during a call')
    return describeNeed(principal, connector, current, current.state === 'auth_required' ? 'scope' : 'scope_for_good')
  }

  /** A client that acts for itself asks for more by itself, once for this call: nobody else could. */
  async function askAsClient(
    principal: Principal,
    connector: Connector,
    connection: Connection,
    { attempt, challenge }: Refusal,
  ): Promise<Resolution> {
    const lacking = challenge ?? {}
    if (attempt === 1 && !isStepUpKnown(connection, lacking)) {
      await settledOnce(connection, () => deps.stepUpAsClient(principal, connector, { connection, challenge: lacking }))
      const resolution = await resolveUpstream(principal, connector.id)
      const isNew = resolution.kind === 'usable' && resolution.target.grantEpoch !== connection.grantEpoch
      if (isNew) return resolution
    }
    return describeNeed(principal, connector, connection, 'scope_for_good')
  }

  /** A credential that its owner gave, and that the server refuses, is for the owner to replace: no link would help. */
  async function disconnect(connection: Connection): Promise<void> {
    const code = 'access_token_rejected'
    await connections.compareAndSet(
      connection,
      {
        ...withoutGrant,
        state: 'disconnected',
        disconnectCode: code,
        disconnectReason: disconnectReasons[code],
        grantEpoch: connection.grantEpoch + 1,
      },
      { type: 'connector.disconnected', code, detail: disconnectReasons[code] },
    )
  }

  /** A token that was refused and cannot be renewed is of no more use. */
  async function requireAuthorization(
    connector: Connector,
    connection: Connection,
    challenge: Challenge | null,
  ): Promise<void> {
    // first, so that nobody sees a connection that waits for a person and has no link for one
    await mintTicket(connection, ownLink)
    const waiting = await connections.compareAndSet(
      connection,
      { state: 'auth_required', challenge: challenge ?? {}, sealedAccessToken: null, authType: null },
      { type: 'connector.auth_required', code: 'unauthorized' },
    )
    if (waiting === null || !(await hasMoved(connector, waiting, challenge))) return
    const grantEpoch = waiting.grantEpoch + 1
    await mintTicket({ ...waiting, grantEpoch }, ownLink)
    const code = 'authorization_server_changed'
    const moved = await connections.compareAndSet(
      waiting,
      {
        ...withoutGrant,
        state: 'auth_required',
        challenge: challenge ?? {},
        grantEpoch,
        lastError: { code, at: clock.now().toISOString(), retryable: false, attempts: 1 },
      },
      { type: 'connector.auth_required', code },
    )
    if (moved !== null) deps.revokeGrant(connector, connection)
  }

  /**
   * Whether the server names another authorization server than the one that the grant is from (MX-05): then nothing of the
   * old one's is of any use, and none of it goes to the new one. Unknown counts as no: the next connect looks again.
   */
  async function hasMoved(connector: Connector, { issuer }: Connection, challenge: Challenge | null): Promise<boolean> {
    if (issuer === null) return false
    try {
      return (await findServer({ ...serverRequestOf(connector, deps.presets), challenge })).issuer !== issuer
    } catch (error) {
      if (isAppError(error)) return false
      throw error
    }
  }

  /** Of many calls that are refused at the same moment, one acts and the others wait for it. */
  function settledOnce({ id, grantEpoch, tokenVersion }: Connection, settle: () => Promise<void>): Promise<void> {
    const key = `${id}:${grantEpoch}:${tokenVersion}`
    const running = settling.get(key)
    if (running !== undefined) return running
    const settled = settle().finally(() => settling.delete(key))
    settling.set(key, settled)
    return settled
  }
}

export type RecoverUnauthorized = ReturnType<typeof createRecoverUnauthorized>
