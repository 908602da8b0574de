import { createApp } from './app.ts'
import { defaultTimings } from './config/timings.ts'
import { startHttpServer } from './http-server.ts'
import { createLogger } from './log/logger.ts'
import { startMetricsServer } from './metrics-server.ts'
import { prepareDatabase } from './prepare-database.ts'
import { tellFailing } from './readiness.ts'
import { requireKeys } from './require-keys.ts'
import { runProcess } from './run-process.ts'
import { findDatabase } from './storage/find-database.ts'
import { readUsableSettings } from './usable-settings.ts'

/** The server process on its own, for deployments: `node dist/src/server.js`. `npm start` runs everything at once. */
const log = createLogger(process.env.LOG_LEVEL ?? 'info')

await runProcess(log, async () => {
  const settings = readUsableSettings(process.env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null) throw new Error('No database. Set DATABASE_URL, or use "npm start", which brings one.')
  await prepareDatabase(databaseUrl, settings, log)
  await requireKeys(databaseUrl, settings)
  const app = createApp({ settings, databaseUrl, log, env: process.env })
  app.refreshing.spill.replay()
  await app.bootstrapAccess(settings.ADMIN_API_KEY)
  const server = await startHttpServer(app, settings, defaultTimings.shutdown)
  const metricsServer = await startMetricsServer({
    setting: 'METRICS_PORT',
    port: settings.METRICS_PORT,
    host: settings.METRICS_HOST,
    metrics: app.metrics,
    readiness: server.readiness,
  })
  await tellFailing(server.readiness, log)
  log.info({ port: server.port, publicUrl: settings.PUBLIC_URL.origin }, 'serving')
  return {
    async close() {
      await server.close()
      await app.close()
      await metricsServer.close()
    },
  }
})
