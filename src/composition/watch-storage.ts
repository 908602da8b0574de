import type { Spill } from '../connections/spill.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Storage } from '../storage/open-storage.ts'

/** Says who knows the gauges that are about PostgreSQL, and about what waits for it. */
export function watchStorage(metrics: Metrics, storage: Storage, spill: Pick<Spill, 'pending'>): void {
  const perLabel = (values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([label, value]) => ({ label, value }))
  metrics.watch('databaseConnections', () => perLabel(storage.connectionCounts()))
  metrics.watch('refreshDueLag', async () => [{ value: await storage.state.refreshLagSeconds() }])
  metrics.watch('issuersPaused', async () => perLabel(await storage.state.pausedIssuers()))
  metrics.watch('spillPending', () => [{ value: spill.pending() }])
}
