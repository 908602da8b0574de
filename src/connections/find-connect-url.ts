import type { Connector } from '../connectors/connector.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { openTicket } from './connection-secrets.ts'
import type { TicketStore } from './store.ts'
import { connectUrl } from './view-connectors.ts'
import { isConnectable } from './whose-connection.ts'

type Deps = { readonly tickets: TicketStore; readonly vault: Vault; readonly clock: Clock; readonly publicUrl: URL }

/**
 * The link with which this principal can connect this connection, `PUBLIC_URL/connect/<ticket>`; null when none is waiting,
 * or for those who may not connect it.
 */
export function createFindConnectUrl({ tickets, vault, clock, publicUrl }: Deps) {
  return async (principal: Principal, connector: Connector, connection: Connection): Promise<string | null> => {
    if (connection.state !== 'auth_required' || !isConnectable(principal, connector, connection)) return null
    const ticket = (await tickets.findCurrent([connection], clock.now())).get(connection.id)
    return ticket === undefined ? null : connectUrl(publicUrl, openTicket(vault, ticket).reveal())
  }
}

export type FindConnectUrl = ReturnType<typeof createFindConnectUrl>
