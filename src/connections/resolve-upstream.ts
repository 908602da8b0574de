import { requireScope } from '../access/rights.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { createFindConnector } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Vault } from '../vault/vault.ts'
import { type Connection, hasUsableGrant, isRenewable } from './connection.ts'
import { type CredentialHeaders, credentialHeaders } from './credential.ts'
import type { DescribeNeed, NeedsConnection } from './describe-need.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import type { ConnectionStore } from './store.ts'

/** Where a relayed call goes, and with what. */
export type UpstreamTarget = {
  readonly tenantId: string
  readonly connectorId: string
  readonly connectionId: string
  readonly grantEpoch: number
  readonly tokenVersion: number
  readonly url: string
  /** Other than Streamable HTTP: the call is translated. Null: it is relayed. */
  readonly translation: 'sse' | 'websocket' | null
  readonly headers: CredentialHeaders
  readonly isRefreshable: boolean
  /** Of the credential; null: not known. */
  readonly expiresAt: Date | null
}

export type Resolution = { readonly kind: 'usable'; readonly target: UpstreamTarget } | NeedsConnection

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly describeNeed: DescribeNeed
  readonly refreshConnection: RefreshConnection
  readonly vault: Vault
  readonly clock: Clock
}

/** A token that would run out on its way is renewed first. */
const wayMs = 1000

/**
 * Finds where a principal's calls on a connector go. A usable grant decides, not the word of the state: during a step-up
 * calls go on with the old grant.
 *
 * @throws AppError `not_found`, `forbidden`, `connector_disabled`
 */
export function createResolveUpstream(deps: Deps) {
  const { connections, refreshConnection, vault, clock } = deps
  const findConnector = createFindConnector(deps)

  const resolve = async (principal: Principal, connectorId: string): Promise<Resolution> => {
    requireScope(principal, 'connectors:proxy')
    const connector = await findConnector(principal, connectorId)
    if (!connector.enabled) throw new AppError('connector_disabled', 'call on a disabled connector')
    const connection = await renewed(await connections.resolve(principal.tenantId, connectorId, principal))
    if (connection !== null && hasUsableGrant(connection)) {
      return {
        kind: 'usable',
        target: {
          tenantId: connection.tenantId,
          connectorId,
          connectionId: connection.id,
          grantEpoch: connection.grantEpoch,
          tokenVersion: connection.tokenVersion,
          url: connector.url,
          translation:
            connector.transport === 'sse' || connector.transport === 'websocket' ? connector.transport : null,
          headers: credentialHeaders(vault, connector, connection),
          isRefreshable: isRenewable(connection),
          expiresAt: connection.accessExpiresAt,
        },
      }
    }
    return deps.describeNeed(principal, connector, connection)
  }
  return resolve

  /** The worker renews tokens in time; whoever finds one that has run out nevertheless does not wait for its refusal. */
  async function renewed(connection: Connection | null): Promise<Connection | null> {
    const expiresAt = connection?.accessExpiresAt ?? null
    if (connection === null || expiresAt === null || !isRenewable(connection)) return connection
    if (expiresAt > addMs(clock.now(), wayMs)) return connection
    const result = await refreshConnection(connection)
    if (result.kind === 'refreshed' || result.kind === 'adopted') return result.connection
    // what becomes of a call with the old token is for the upstream to say, unless the grant is over
    return result.kind === 'ended' ? connections.find(connection.tenantId, connection.id) : connection
  }
}

export type ResolveUpstream = ReturnType<typeof createResolveUpstream>
