import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { productVersion } from '../config/product-version.ts'
import type { Settings } from '../config/settings.ts'
import { systemClock } from '../kernel/clock.ts'
import { Secret } from '../kernel/secret.ts'
import type { Logger } from '../log/logger.ts'
import type { ProcessControl } from '../process/run-process.ts'
import { startEmbeddedPostgres } from '../storage/embedded-postgres.ts'
import { acquireInstanceLock, type InstanceLock } from '../storage/instance-lock.ts'
import { preloadSchemaEngine } from '../storage/schema-engine.ts'
import { openTracing } from '../tracing/open-tracing.ts'
import { ensureFirstKey, type FirstKey } from './first-key.ts'
import { requireFreePort } from './free-port.ts'
import { startSandboxProcess } from './sandbox-process.ts'
import { shownPath } from './shown-path.ts'
import { startWorkerProcess } from './worker-process.ts'

export type LocalStackOptions = ProcessControl & {
  readonly settings: Settings
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  readonly logFile: string
  /** Tells the person at the terminal what is going on. */
  readonly say: (line: string) => void
}

export type LocalStack = {
  readonly publicUrl: URL
  /** Null when the sandbox is off. */
  readonly sandboxUrl: string | null
  readonly firstKey: FirstKey
  close(): Promise<void>
}

/** What has been started, to be stopped in reverse. */
type Part = { readonly name: string; readonly stop: () => Promise<void> }

// nobody in front of us has to notice that we go, and the person at the terminal waits
const shutdown = { noticeMs: 0, drainMs: 3000 }

/**
 * Starts everything on this machine: the database where none is given, the API, and the worker and
 * the sandbox as processes of their own. What was started is stopped again when a later part fails.
 *
 * @throws Error with a sentence for people: another start runs here, a port is taken, the database does not start, its
 *   encryption keys are not at hand; or the reason of `signal`
 */
export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const { settings, log } = options
  const lock = await takeLock(settings)
  const parts: Part[] = [{ name: 'instance lock', stop: () => lock.release() }]
  const close = async () => {
    for (const part of parts.splice(0).reverse()) {
      await part.stop().catch((err: unknown) => log.error({ err, part: part.name }, 'could not be stopped'))
    }
  }
  try {
    return { ...(await startParts(options, lock, parts)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startParts(
  options: LocalStackOptions,
  lock: InstanceLock,
  parts: Part[],
): Promise<Omit<LocalStack, 'close'>> {
  const { settings, env, log, logFile, say, signal } = options
  const hasSandbox = settings.SANDBOX_PORT !== 0 && settings.isLoopback
  await requireFreePort('PORT', settings.PORT, settings.HOST)
  for (const setting of ['METRICS_PORT', 'WORKER_METRICS_PORT'] as const) {
    if (settings[setting] !== 0) await requireFreePort(setting, settings[setting], settings.METRICS_HOST)
  }
  if (hasSandbox) await requireFreePort('SANDBOX_PORT', settings.SANDBOX_PORT, '127.0.0.1')
  if (settings.SANDBOX_PORT !== 0 && !settings.isLoopback) {
    say('The sandbox, loopback upstreams and other conveniences are off, since PUBLIC_URL is not on this machine.')
  }

  // while the database starts, the program is read from disk and the sandbox started
  const [databaseUrl, program, sandboxUrl] = await together(
    settings.DATABASE_URL ?? startDatabase(options, lock, parts),
    loadProgram(),
    hasSandbox ? startSandbox(options, parts) : null,
  )
  signal.throwIfAborted()
  await program.prepareDatabase(databaseUrl, settings, log)
  signal.throwIfAborted()
  await program.requireKeys(databaseUrl, settings)

  const tracing = await openTracing(settings, { name: 'patchbay-server', version: productVersion() })
  const app = program.createApp({ settings, databaseUrl, log, env, tracing })
  app.refreshing.spill.replay()
  parts.push({ name: 'application', stop: () => app.close() })
  await app.bootstrapAccess(settings.ADMIN_API_KEY)
  const firstKey = await ensureFirstKey(app, settings)
  signal.throwIfAborted()
  const server = await program.startHttpServer(app, settings, shutdown)
  parts.push({ name: 'server', stop: () => server.close() })
  const metricsServer = await program.startMetricsServer({
    setting: 'METRICS_PORT',
    port: settings.METRICS_PORT,
    host: settings.METRICS_HOST,
    metrics: app.metrics,
    readiness: server.readiness,
  })
  parts.push({ name: 'metrics', stop: () => metricsServer.close() })
  await program.tellFailing(server.readiness, log)
  const worker = startWorkerProcess({ env, log, logFile })
  parts.push({ name: 'worker', stop: () => worker.stop() })
  return { publicUrl: settings.PUBLIC_URL, sandboxUrl, firstKey }
}

/** Waits for all, also when one fails: what has been started must be known before it can be stopped. */
async function together<const T extends readonly unknown[]>(
  ...work: T
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

async function loadProgram() {
  const parts = await Promise.all([
    import('../app.ts'),
    import('../process/http-server.ts'),
    import('../process/metrics-server.ts'),
    import('../process/prepare-database.ts'),
    import('../process/readiness.ts'),
    import('../process/require-keys.ts'),
  ])
  const [{ createApp }, { startHttpServer }, { startMetricsServer }, { prepareDatabase }, ...rest] = parts
  const [{ tellFailing }, { requireKeys }] = rest
  return { createApp, startHttpServer, startMetricsServer, prepareDatabase, requireKeys, tellFailing }
}

async function startSandbox(options: LocalStackOptions, parts: Part[]): Promise<string> {
  const sandbox = await startSandboxProcess(options)
  parts.push({ name: 'sandbox', stop: () => sandbox.stop() })
  return sandbox.url
}

async function takeLock(settings: Settings): Promise<InstanceLock> {
  const result = await acquireInstanceLock(settings.DATA_DIR, {
    url: settings.PUBLIC_URL.origin,
    startedAt: systemClock.now(),
  })
  if (result.state === 'acquired') return result.lock
  const { pid, url, startedAt } = result.instance
  throw new Error(
    `Patchbay runs here already: process ${pid}, at ${url}, since ${startedAt}.\n` +
      'Use that one, stop it with Ctrl-C in its terminal, or start another beside it with PORT, SANDBOX_PORT and DATA_DIR of its own.',
  )
}

async function startDatabase(
  { settings, log, say, fail }: LocalStackOptions,
  lock: InstanceLock,
  parts: Part[],
): Promise<Secret> {
  const dataDir = settings.DATA_DIR
  if (!existsSync(join(dataDir, 'postgres'))) {
    say(`Making a database in ${shownPath(dataDir)} (only once) ...`)
    preloadSchemaEngine()
  }
  const postgres = await startEmbeddedPostgres({ dataDir, log })
  let isStopping = false
  parts.push({
    name: 'database',
    stop: () => {
      isStopping = true
      return postgres.stop()
    },
  })
  void postgres.exited.then(() => {
    if (isStopping) return
    const logFile = shownPath(join(dataDir, 'postgres.log'))
    fail(`The database has ended by itself, and nothing works without it. Its log: ${logFile}`)
  })
  await lock.setDatabaseUrl(postgres.url)
  return new Secret(postgres.url)
}
