import type { Connector } from '../connectors/connector.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Connection } from './connection.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import type { ConnectionStore } from './store.ts'
import { requireConnectable } from './whose-connection.ts'

type Deps = { readonly connections: ConnectionStore; readonly refreshConnection: RefreshConnection }

/**
 * Refreshes at a person's word, also while the connection waits for its next scheduled attempt: whoever has just mended a
 * client secret wants to see whether it works.
 *
 * @returns the connection as it is then; one whose grant turned out to be over is `disconnected` and says why
 * @throws AppError `forbidden`, `not_connected`, `not_refreshable`, `refresh_in_progress`, `storage_unavailable`,
 *   `upstream_unreachable`, `upstream_timeout`, `upstream_error` (any other refusal: `last_error` says which)
 */
export function createRefreshAtOnce({ connections, refreshConnection }: Deps) {
  return async (principal: Principal, connector: Connector): Promise<Connection> => {
    const connection = await connections.resolve(connector.tenantId, connector.id, principal)
    if (connection === null || connection.authType === null) {
      throw new AppError('not_connected', 'refresh before connect')
    }
    requireConnectable(principal, connector, connection)
    const result = await refreshConnection(connection, { isForced: true })
    switch (result.kind) {
      case 'refreshed':
      case 'adopted':
        return result.connection
      case 'ended':
        return (await connections.find(connection.tenantId, connection.id)) ?? connection
      case 'not_refreshable':
        throw new AppError('not_refreshable', 'refresh of a connection without a refresh token')
      case 'busy':
        throw new AppError('refresh_in_progress', 'another process refreshes')
      case 'spilled':
        throw new AppError('storage_unavailable', 'the new token waits for the database')
      case 'transient':
        throw failureFor(result.connection)
    }
  }
}

export type RefreshAtOnce = ReturnType<typeof createRefreshAtOnce>

function failureFor({ lastError }: Connection): AppError {
  const message = 'token refresh failed for now'
  const code = lastError?.code
  if (code === 'upstream_unreachable' || code === 'upstream_timeout') return new AppError(code, message)
  return new AppError('upstream_error', message, {
    publicDetail:
      'The authorization server did not give a new token, for now. The old one is used for as long as it lives; `last_error` of the connector says what happened.',
  })
}
