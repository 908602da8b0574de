import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken } from '../kernel/secret.ts'
import type { Connection } from './connection.ts'
import type { ConnectionStore, Ticket, TicketStore } from './store.ts'

type Deps = {
  readonly tickets: TicketStore
  readonly connections: ConnectionStore
  readonly connectors: ConnectorStore
  readonly clock: Clock
}

export type OpenTicket = { readonly ticket: Ticket; readonly connection: Connection; readonly connector: Connector }

/**
 * What a link leads to. Null, without saying why, when it is unknown, expired, or belongs to a grant that was replaced
 * since. Reading changes nothing: link previews and prefetches are harmless.
 */
export function createReadTicket({ tickets, connections, connectors, clock }: Deps) {
  return async (token: string): Promise<OpenTicket | null> => {
    const ticket = await tickets.findByHash(hashToken(token), clock.now())
    if (ticket === null) return null
    const connection = await connections.find(ticket.tenantId, ticket.connectionId)
    if (connection === null || connection.grantEpoch !== ticket.grantEpoch || connection.state !== 'auth_required')
      return null
    const connector = await connectors.find(ticket.tenantId, connection.connectorId)
    return connector === null || !connector.enabled ? null : { ticket, connection, connector }
  }
}

export type ReadTicket = ReturnType<typeof createReadTicket>
