import type { App } from '../../src/app.ts'
import type { DueReference } from '../../src/connections/due-store.ts'
import type { RefreshResult } from '../../src/connections/refresh-result.ts'

/** Refreshes a connection as somebody who waits for it does. @returns how it ended */
export async function refreshNow(
  { connections, refreshing }: Pick<App, 'connections' | 'refreshing'>,
  { tenantId, id }: Pick<DueReference, 'tenantId' | 'id'>,
): Promise<RefreshResult['kind']> {
  const connection = await connections.find(tenantId, id)
  if (connection === null) throw new Error('there is no such connection')
  return (await refreshing.refreshConnection(connection)).kind
}
