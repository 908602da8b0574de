import type { Connector } from '../connectors/connector.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import type { createUpdateConnector, UpdateConnectorRequest } from '../connectors/update-connector.ts'
import { requireManageable } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { RevokeGrant } from './revoke-grant.ts'
import type { ConnectionStore } from './store.ts'

type Deps = {
  readonly connectors: ConnectorStore
  readonly connections: ConnectionStore
  readonly updateConnector: ReturnType<typeof createUpdateConnector>
  readonly revokeGrant: RevokeGrant
}

/**
 * Changing and deleting connectors, with what that means for their grants: those that no longer apply are revoked at
 * their upstream, best effort, after the change is stored.
 */
export function createManageConnectors({ connectors, connections, updateConnector, revokeGrant }: Deps) {
  return {
    /** @throws AppError `forbidden` and those of `createUpdateConnector` */
    async update(principal: Principal, connector: Connector, request: UpdateConnectorRequest): Promise<Connector> {
      requireManageable(principal, connector)
      const before = await connections.listOfConnector(connector.tenantId, connector.id)
      const { connector: updated, voidsCredentials } = await updateConnector(principal, connector, request)
      if (voidsCredentials) for (const connection of before) revokeGrant(connector, connection)
      return updated
    },

    /** @throws AppError `forbidden`, `not_found` when somebody was quicker */
    async delete(principal: Principal, connector: Connector): Promise<void> {
      requireManageable(principal, connector)
      const before = await connections.listOfConnector(connector.tenantId, connector.id)
      if (!(await connectors.delete(connector.tenantId, connector.id, principal.id))) {
        throw new AppError('not_found', 'connector deleted by somebody else')
      }
      for (const connection of before) revokeGrant(connector, connection)
    },
  }
}

export type ManageConnectors = ReturnType<typeof createManageConnectors>
