import type { Connection } from './connection.ts'
import type { ExpireAccess } from './expire-access.ts'
import type { RefreshConnection } from './refresh-connection.ts'
import type { RefreshResult } from './refresh-result.ts'
import type { ConnectionStore } from './store.ts'

type Deps = {
  readonly connections: ConnectionStore
  readonly refreshConnection: RefreshConnection
  readonly expireAccess: ExpireAccess
}

export type DueReference = { readonly tenantId: string; readonly connectionId: string; readonly tokenVersion: number }

/**
 * What a refresh job does: reads the connection afresh, and does nothing when it is gone or was refreshed since the job
 * was made, so that a job delivered twice is harmless.
 */
export function createRefreshDue({ connections, refreshConnection, expireAccess }: Deps) {
  return async ({ tenantId, connectionId, tokenVersion }: DueReference): Promise<RefreshResult['kind'] | 'stale'> => {
    const connection: Connection | null = await connections.find(tenantId, connectionId)
    if (connection === null || connection.tokenVersion !== tokenVersion || connection.nextRefreshAt === null)
      return 'stale'
    const result = await refreshConnection(connection)
    if (result.kind === 'not_refreshable') await expireAccess(connection)
    return result.kind
  }
}

export type RefreshDue = ReturnType<typeof createRefreshDue>
