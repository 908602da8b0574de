import type { Connector } from '../connectors/connector.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Connection } from './connection.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import { withoutGrant } from './grant-changes.ts'
import type { RevokeGrant } from './revoke-grant.ts'
import type { ConnectionStore } from './store.ts'
import { requireConnectable } from './whose-connection.ts'

type Deps = { readonly connections: ConnectionStore; readonly revokeGrant: RevokeGrant }

const attempts = 5

/**
 * Disconnects at a person's word: the grant goes at once and for good, whatever is being refreshed meanwhile; the
 * upstream is told afterwards, best effort.
 *
 * @throws AppError `forbidden`; `not_connected` when nothing was ever connected
 */
export function createDisconnect({ connections, revokeGrant }: Deps) {
  return async (principal: Principal, connector: Connector): Promise<Connection> => {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const connection = await connections.resolve(connector.tenantId, connector.id, principal)
      if (connection === null || connection.state === 'created') {
        throw new AppError('not_connected', 'disconnect before connect', {
          publicDetail: 'This connector was never connected, so there is nothing to disconnect.',
        })
      }
      requireConnectable(principal, connector, connection)
      if (connection.state === 'disconnected') return connection
      const stored = await connections.compareAndSet(
        connection,
        {
          ...withoutGrant,
          state: 'disconnected',
          disconnectCode: 'client_request',
          disconnectReason: disconnectReasons.client_request,
          grantEpoch: connection.grantEpoch + 1,
        },
        { type: 'connector.disconnected', code: 'client_request', actorId: principal.id },
      )
      if (stored !== null) {
        revokeGrant(connector, connection)
        return stored
      }
    }
    throw new AppError('conflict', 'connection kept changing during disconnect')
  }
}

export type Disconnect = ReturnType<typeof createDisconnect>
