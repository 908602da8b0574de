import type { App } from '../src/app.ts'
import type { Settings } from '../src/config/settings.ts'
import { systemClock } from '../src/kernel/clock.ts'
import type { Secret } from '../src/kernel/secret.ts'
import type { Logger } from '../src/log/logger.ts'
import { refreshJob, webhookJob } from '../src/queue/jobs.ts'
import { createQueueBackend } from '../src/queue/queue-backend.ts'
import { createRefreshQueue } from '../src/queue/refresh-queue.ts'
import { startHousekeeping } from './housekeeping.ts'
import { startRefreshWorker } from './refresh.ts'
import { startSweep } from './sweep.ts'
import { startWebhookWorker } from './webhooks.ts'

type Deps = {
  readonly app: App
  readonly settings: Settings
  readonly databaseUrl: Secret
  readonly log: Logger
}

/** All that a worker does: sweeps, runs refreshes, delivers webhooks. `close()` waits for what is under way. */
export function startWorker({ app, settings, databaseUrl, log }: Deps): { close(): Promise<void> } {
  app.refreshing.spill.replay()
  const backend = createQueueBackend({ redisUrl: settings.REDIS_URL, databaseUrl })
  const refreshQueue = createRefreshQueue(backend, log)
  const { due, runRefreshes } = app.refreshing
  const sweep = startSweep({
    due,
    refreshQueue,
    clock: systemClock,
    log,
    tracing: app.tracing,
    intervalMs: settings.SWEEP_INTERVAL * 1000,
    onClaimed: (lateMs) => app.metrics.refresh.claimed(lateMs),
  })
  const worker = startRefreshWorker({
    backend,
    runRefreshes,
    log,
    tracing: app.tracing,
    concurrency: settings.REFRESH_CONCURRENCY,
    onMore: sweep.nudge,
  })
  const webhookWorker = startWebhookWorker({
    backend,
    webhooks: app.webhooks,
    deliverWebhook: app.deliverWebhook,
    changes: app.changes,
    clock: systemClock,
    log,
    intervalMs: settings.SWEEP_INTERVAL * 1000,
  })
  const housekeeping = startHousekeeping({
    keepHouse: app.keepHouse,
    log,
    intervalMs: settings.HOUSEKEEPING_INTERVAL * 1000,
  })
  app.metrics.watch('queueJobs', async () => [
    { label: refreshJob.queue, value: await refreshQueue.count() },
    { label: webhookJob.queue, value: await webhookWorker.countJobs() },
  ])
  return {
    async close() {
      await sweep.stop()
      await housekeeping.stop()
      await worker.close()
      await webhookWorker.close()
      await refreshQueue.close()
      await backend.close()
    },
  }
}
