import { createApp } from '../src/app.ts'
import { systemClock } from '../src/kernel/clock.ts'
import { createLogger } from '../src/log/logger.ts'
import { startMetricsServer } from '../src/metrics-server.ts'
import { refreshJob } from '../src/queue/jobs.ts'
import { createQueueBackend } from '../src/queue/queue-backend.ts'
import { createRefreshQueue } from '../src/queue/refresh-queue.ts'
import { tellFailing } from '../src/readiness.ts'
import { requireKeys } from '../src/require-keys.ts'
import { runProcess } from '../src/run-process.ts'
import { findDatabase } from '../src/storage/find-database.ts'
import { readUsableSettings } from '../src/usable-settings.ts'
import { startRefreshWorker } from './refresh.ts'
import { startSweep } from './sweep.ts'
import { startWebhookWorker } from './webhooks.ts'

/** The worker process: `node dist/workers/main.js`. Any number of them may run. */
const log = createLogger(process.env.LOG_LEVEL ?? 'info')

await runProcess(log, async () => {
  const settings = readUsableSettings(process.env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null)
    throw new Error('No database. Set DATABASE_URL, or start Patchbay on this data folder first: npm start')
  await requireKeys(databaseUrl, settings)
  const app = createApp({ settings, databaseUrl, log, env: process.env })
  app.refreshing.spill.replay()
  const backend = createQueueBackend({ redisUrl: settings.REDIS_URL, databaseUrl })
  const refreshQueue = createRefreshQueue(backend, log)
  const { due, runRefreshes } = app.refreshing
  const sweep = startSweep({
    due,
    refreshQueue,
    clock: systemClock,
    log,
    intervalMs: settings.SWEEP_INTERVAL * 1000,
    onClaimed: (lateMs) => app.metrics.refresh.claimed(lateMs),
  })
  const worker = startRefreshWorker({
    backend,
    runRefreshes,
    log,
    concurrency: settings.REFRESH_CONCURRENCY,
    onMore: sweep.nudge,
  })
  app.metrics.watch('queueJobs', async () => [{ label: refreshJob.queue, value: await refreshQueue.count() }])
  const webhookWorker = startWebhookWorker({
    backend,
    webhooks: app.webhooks,
    deliverWebhook: app.deliverWebhook,
    changes: app.changes,
    clock: systemClock,
    log,
    intervalMs: settings.SWEEP_INTERVAL * 1000,
  })
  let isShuttingDown = false
  const readiness = app.createReadinessCheck(() => isShuttingDown)
  const metricsServer = await startMetricsServer({
    setting: 'WORKER_METRICS_PORT',
    port: settings.WORKER_METRICS_PORT,
    host: settings.METRICS_HOST,
    metrics: app.metrics,
    readiness,
  })
  await tellFailing(readiness, log)
  log.info('worker runs')
  return {
    async close() {
      isShuttingDown = true
      await sweep.stop()
      await worker.close()
      await webhookWorker.close()
      await refreshQueue.close()
      await backend.close()
      await app.close()
      await metricsServer.close()
    },
  }
})
