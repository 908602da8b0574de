import { requireScope } from '../access/rights.ts'
import { connectorName } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { createFindConnector } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { Vault } from '../vault/vault.ts'
import { type Connection, hasUsableGrant } from './connection.ts'
import { credentialHeaders } from './connection-secrets.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import type { FindConnectUrl } from './find-connect-url.ts'
import type { MintTicket } from './mint-ticket.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import type { ConnectionStore } from './store.ts'

/** Where a relayed call goes, and with what. */
export type UpstreamTarget = {
  readonly tenantId: string
  readonly connectorId: string
  readonly connectionId: string
  readonly tokenVersion: number
  readonly url: string
  readonly headers: Readonly<Record<string, Secret>>
  readonly isRefreshable: boolean
}

export type Resolution =
  | { readonly kind: 'usable'; readonly target: UpstreamTarget }
  | {
      readonly kind: 'needs_connection'
      readonly connectorName: string
      /** Null for those who may not connect it. */
      readonly connectUrl: string | null
      readonly reason: string
    }

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly presets: PresetCatalog
  readonly findConnectUrl: FindConnectUrl
  readonly refreshConnection: RefreshConnection
  readonly mintTicket: MintTicket
  readonly vault: Vault
}

/**
 * Finds where a principal's calls on a connector go. A usable grant decides, not the word of the state: during a step-up
 * calls go on with the old grant.
 *
 * @throws AppError `not_found`, `forbidden`, `connector_disabled`
 */
export function createResolveUpstream(deps: Deps) {
  const { connections, vault } = deps
  const findConnector = createFindConnector(deps)

  const resolve = async (principal: Principal, connectorId: string): Promise<Resolution> => {
    requireScope(principal, 'connectors:proxy')
    const connector = await findConnector(principal, connectorId)
    if (!connector.enabled) throw new AppError('connector_disabled', 'call on a disabled connector')
    const connection = await connections.resolve(principal.tenantId, connectorId, principal)
    if (connection !== null && hasUsableGrant(connection)) {
      return {
        kind: 'usable',
        target: {
          tenantId: connection.tenantId,
          connectorId,
          connectionId: connection.id,
          tokenVersion: connection.tokenVersion,
          url: connector.url,
          headers: credentialHeaders(vault, connection),
          isRefreshable: connection.sealedRefreshToken !== null,
        },
      }
    }
    const preset = connector.presetId === null ? undefined : deps.presets.byId(connector.presetId)
    return {
      kind: 'needs_connection',
      connectorName: connectorName(connector, preset?.metadata.name),
      connectUrl: connection === null ? null : await deps.findConnectUrl(principal, connector, connection),
      reason: reasonFor(connection),
    }
  }
  return resolve
}

export type ResolveUpstream = ReturnType<typeof createResolveUpstream>

function reasonFor(connection: Connection | null): string {
  if (connection === null || connection.state === 'created') return 'It was never connected.'
  if (connection.state === 'disconnected') {
    return connection.disconnectCode === null ? 'It was disconnected.' : disconnectReasons[connection.disconnectCode]
  }
  return 'Somebody has to authorize it.'
}

/**
 * What to do when the upstream refused a relayed call: refresh once through the one refresh path, unless somebody did since
 * the call was sent. Where that does not help, the refusal is kept for the next connect, and a link is made.
 */
export function createRecoverUnauthorized(deps: Deps & { readonly resolveUpstream: ResolveUpstream }) {
  const { connections, refreshConnection, mintTicket, resolveUpstream } = deps

  return async (
    principal: Principal,
    target: UpstreamTarget,
    failure: { readonly status: number; readonly challenge: Challenge | null; readonly attempt: 1 | 2 },
  ): Promise<Resolution> => {
    const connection = await connections.find(target.tenantId, target.connectionId)
    if (connection === null) throw new AppError('not_found', 'connection went away during a call')
    // a second refusal, of a token that is brand-new, is not for another refresh to mend
    const isRefreshUseless = failure.status === 403 || failure.attempt === 2
    if (
      !isRefreshUseless &&
      connection.tokenVersion === target.tokenVersion &&
      connection.sealedRefreshToken !== null
    ) {
      const result = await refreshConnection(connection)
      if (result.kind === 'busy') throw new AppError('refresh_in_progress', 'another process refreshes')
      if (result.kind === 'transient') throw new AppError('upstream_unreachable', 'token refresh failed for now')
      return resolveUpstream(principal, target.connectorId)
    }
    if (!isRefreshUseless && connection.tokenVersion !== target.tokenVersion)
      return resolveUpstream(principal, target.connectorId)
    await requireAuthorization(connection, failure.challenge)
    return resolveUpstream(principal, target.connectorId)
  }

  async function requireAuthorization(connection: Connection, challenge: Challenge | null): Promise<void> {
    // first, so that nobody sees a connection that waits for a person and has no link for one
    await mintTicket(connection, { initiator: null, redirectUrl: null, authorization: null })
    await connections.compareAndSet(
      connection,
      {
        state: 'auth_required',
        challenge: challenge ?? {},
        // a token that was refused and cannot be renewed is of no more use; one that lacks a scope still is
        ...(challenge?.error === 'insufficient_scope' ? {} : { sealedAccessToken: null, authType: null }),
      },
      {
        type: 'connector.auth_required',
        code: challenge?.error === 'insufficient_scope' ? 'insufficient_scope' : 'unauthorized',
      },
    )
  }
}

export type RecoverUnauthorized = ReturnType<typeof createRecoverUnauthorized>
