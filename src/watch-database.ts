import type { Metrics } from './metrics/metrics.ts'
import type { Storage } from './storage/open-storage.ts'

/** Counts what can be said of the database itself, when somebody asks. */
export function watchDatabase(metrics: Metrics, storage: Storage): void {
  metrics.watch('databaseConnections', () =>
    Object.entries(storage.connectionCounts()).map(([label, value]) => ({ label, value })),
  )
  metrics.watch('refreshDueLag', async () => [{ value: await storage.state.refreshLagSeconds() }])
}
