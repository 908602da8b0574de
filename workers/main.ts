import { createApp } from '../src/app.ts'
import { productVersion } from '../src/config/product-version.ts'
import { createLogger } from '../src/log/logger.ts'
import { startMetricsServer } from '../src/process/metrics-server.ts'
import { tellFailing } from '../src/process/readiness.ts'
import { requireKeys } from '../src/process/require-keys.ts'
import { runProcess } from '../src/process/run-process.ts'
import { readUsableSettings } from '../src/process/usable-settings.ts'
import { findDatabase } from '../src/storage/find-database.ts'
import { openTracing } from '../src/tracing/open-tracing.ts'
import { startWorker } from './start-worker.ts'

/** The worker process: `node dist/workers/main.js`. Any number of them may run. */
const log = createLogger(process.env.LOG_LEVEL ?? 'info', undefined, Boolean(process.env.OTEL_EXPORTER_OTLP_ENDPOINT))

await runProcess(log, async () => {
  const settings = readUsableSettings(process.env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null)
    throw new Error('No database. Set DATABASE_URL, or start Patchbay on this data folder first: npm start')
  await requireKeys(databaseUrl, settings)
  const tracing = await openTracing(settings, { name: 'patchbay-worker', version: productVersion() })
  const app = createApp({ settings, databaseUrl, log, env: process.env, tracing })
  const work = startWorker({ app, settings, databaseUrl, log })
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
      await work.close()
      await app.close()
      await metricsServer.close()
    },
  }
})
