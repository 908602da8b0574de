import cluster from 'node:cluster'
import { createApp } from './app.ts'
import { productVersion } from './config/product-version.ts'
import { defaultTimings } from './config/timings.ts'
import { createLogger } from './log/logger.ts'
import { createGroupMetrics } from './metrics/metrics.ts'
import { startHttpServer } from './process/http-server.ts'
import { startMetricsServer } from './process/metrics-server.ts'
import { prepareDatabase } from './process/prepare-database.ts'
import { tellFailing } from './process/readiness.ts'
import { requireKeys } from './process/require-keys.ts'
import { runProcess } from './process/run-process.ts'
import { groupOfThisProcess, startServerGroup } from './process/server-group.ts'
import { readUsableSettings } from './process/usable-settings.ts'
import { findDatabase } from './storage/find-database.ts'
import { openTracing } from './tracing/open-tracing.ts'

/**
 * The server process on its own, for deployments: `node dist/src/server.js`. `npm start` runs everything at once. With
 * `PROCESSES` above 1 this process serves nothing itself: it runs that many others of this same program on one port, and
 * shows their metrics and readiness.
 */
const group = cluster.isPrimary ? null : groupOfThisProcess()
const ownLog = createLogger(
  process.env.LOG_LEVEL ?? 'info',
  undefined,
  Boolean(process.env.OTEL_EXPORTER_OTLP_ENDPOINT),
)
const log = group === null ? ownLog : ownLog.child({ pid: process.pid })

await runProcess(log, async () => {
  const settings = readUsableSettings(process.env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null) throw new Error('No database. Set DATABASE_URL, or use "npm start", which brings one.')
  if (group === null) {
    await prepareDatabase(databaseUrl, settings, log)
    await requireKeys(databaseUrl, settings)
  }
  const tracing = await openTracing(settings, { name: 'patchbay-server', version: productVersion() })
  const app = createApp({ settings, databaseUrl, log, env: process.env, tracing, ...(group === null ? {} : { group }) })
  if (group === null) {
    app.refreshing.spill.replay()
    await app.bootstrapAccess(settings.ADMIN_API_KEY)
  } else app.metrics.share()

  const isGroup = group === null && settings.PROCESSES > 1
  const server = isGroup
    ? await startServerGroup({ app, settings, log })
    : await startHttpServer(app, settings, defaultTimings.shutdown)
  const metricsServer = await startMetricsServer({
    setting: 'METRICS_PORT',
    // of the processes of a group the one that runs them answers for all
    port: group === null ? settings.METRICS_PORT : 0,
    host: settings.METRICS_HOST,
    metrics: isGroup ? createGroupMetrics() : app.metrics,
    readiness: server.readiness,
  })
  if (group === null) {
    await tellFailing(server.readiness, log)
    log.info({ port: server.port, publicUrl: settings.PUBLIC_URL.origin, processes: settings.PROCESSES }, 'serving')
  }
  return {
    async close() {
      await server.close()
      await app.close()
      await metricsServer.close()
    },
  }
})
