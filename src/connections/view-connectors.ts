import type { Connector } from '../connectors/connector.ts'
import { isManageable } from '../connectors/visibility.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Preset } from '../presets/preset.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { openTicket } from './connection-secrets.ts'
import type { ConnectionStore, TicketStore } from './store.ts'
import { isConnectable } from './whose-connection.ts'

/** A connector as one principal sees it: with the connection that the principal's calls would use. */
export type ConnectorView = {
  readonly connector: Connector
  readonly connection: Connection | null
  readonly preset: Preset | undefined
  /** The link that waits for a person; null when none does, or for those who may not connect. */
  readonly connectUrl: string | null
  /** Whether client facts may be shown. */
  readonly isManageable: boolean
}

type Deps = {
  readonly connections: ConnectionStore
  readonly tickets: TicketStore
  readonly presets: PresetCatalog
  readonly vault: Vault
  readonly clock: Clock
  readonly publicUrl: URL
}

/**
 * Adds to connectors what the principal may see of their connections: two queries, however many there are.
 *
 * @param shown the connection to show, where it is not the one that the principal's calls would use: one that a manager has
 *   just made for somebody else
 */
export function createViewConnectors({ connections, tickets, presets, vault, clock, publicUrl }: Deps) {
  return async (
    principal: Principal,
    connectors: readonly Connector[],
    shown?: Connection,
  ): Promise<ConnectorView[]> => {
    const ids = connectors.map(({ id }) => id)
    const resolved =
      shown === undefined
        ? await connections.resolveMany(principal.tenantId, ids, principal)
        : new Map([[shown.connectorId, shown]])
    const waiting = connectors.flatMap((connector) => {
      const connection = resolved.get(connector.id)
      return connection?.state === 'auth_required' && isConnectable(principal, connector, connection)
        ? [connection]
        : []
    })
    const current = await tickets.findCurrent(waiting, clock.now())
    return connectors.map((connector) => {
      const connection = resolved.get(connector.id) ?? null
      const ticket = connection === null ? undefined : current.get(connection.id)
      return {
        connector,
        connection,
        preset: connector.presetId === null ? undefined : presets.byId(connector.presetId),
        connectUrl: ticket === undefined ? null : connectUrl(publicUrl, openTicket(vault, ticket).reveal()),
        isManageable: isManageable(principal, connector),
      }
    })
  }
}

export type ViewConnectors = ReturnType<typeof createViewConnectors>

/** `PUBLIC_URL/connect/<ticket>` */
export function connectUrl(publicUrl: URL, ticket: string): string {
  return new URL(`/connect/${ticket}`, publicUrl).href
}
