import type { Settings } from '../config/settings.ts'
import { defaultTimings } from '../config/timings.ts'
import { systemClock } from '../kernel/clock.ts'
import { Secret } from '../kernel/secret.ts'
import type { Logger } from '../log/logger.ts'
import { startEmbeddedPostgres } from '../storage/embedded-postgres.ts'
import { acquireInstanceLock, type InstanceLock } from '../storage/instance-lock.ts'
import { ensureFirstKey, type FirstKey } from './first-key.ts'
import { requireFreePort } from './free-port.ts'
import { startWorkerProcess } from './worker-process.ts'

export type LocalStackOptions = {
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

/**
 * Starts everything on this machine: the database where none is given, the API, the worker as a process of its own, and the
 * sandbox. What was started is stopped again when a later part fails.
 *
 * @throws Error with a sentence for people: another start runs here, a port is taken, the database does not start
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
  const { settings, env, log, logFile, say } = options
  const hasSandbox = settings.SANDBOX_PORT !== 0 && settings.isLoopback
  await requireFreePort('PORT', settings.PORT, settings.HOST)
  if (hasSandbox) await requireFreePort('SANDBOX_PORT', settings.SANDBOX_PORT, '127.0.0.1')

  // the program is read from disk while the database starts
  const program = Promise.all([import('../app.ts'), import('../http-server.ts'), import('../prepare-database.ts')])
  const sandboxProgram = hasSandbox ? import('../sandbox/sandbox.ts') : null
  const databaseUrl = settings.DATABASE_URL ?? (await startDatabase(settings, lock, parts, options))
  const [{ createApp }, { startHttpServer }, { prepareDatabase }] = await program
  await prepareDatabase(databaseUrl, settings, log)

  const worker = startWorkerProcess({ env, log, logFile })
  parts.push({ name: 'worker', stop: () => worker.stop() })

  const app = createApp({ settings, databaseUrl, log, env })
  parts.push({ name: 'application', stop: () => app.close() })
  await app.bootstrapAccess(settings.ADMIN_API_KEY)
  const firstKey = await ensureFirstKey(app, settings)

  let sandboxUrl: string | null = null
  if (sandboxProgram !== null) {
    const { startSandbox } = await sandboxProgram
    const sandbox = await startSandbox({ port: settings.SANDBOX_PORT, tokenTtlSeconds: settings.SANDBOX_TOKEN_TTL })
    parts.push({ name: 'sandbox', stop: () => sandbox.close() })
    sandboxUrl = sandbox.url
  } else if (settings.SANDBOX_PORT !== 0) {
    say('The sandbox, loopback upstreams and other conveniences are off, since PUBLIC_URL is not on this machine.')
  }

  // nobody in front of us has to notice that we go
  const server = await startHttpServer(app, settings, { ...defaultTimings.shutdown, noticeMs: 0 })
  parts.push({ name: 'server', stop: () => server.close() })
  return { publicUrl: settings.PUBLIC_URL, sandboxUrl, firstKey }
}

async function takeLock(settings: Settings): Promise<InstanceLock> {
  const result = await acquireInstanceLock(settings.DATA_DIR, {
    url: settings.PUBLIC_URL.origin,
    startedAt: systemClock.now(),
  })
  if (result.state === 'acquired') return result.lock
  const { pid, url, startedAt } = result.instance
  throw new Error(
    `Patchbay runs here already: process ${pid}, at ${url}, since ${startedAt}. Use that one, stop it with Ctrl-C in its terminal, ` +
      'or start another beside it with PORT, SANDBOX_PORT and DATA_DIR of its own.',
  )
}

async function startDatabase(
  settings: Settings,
  lock: InstanceLock,
  parts: Part[],
  { log, say }: LocalStackOptions,
): Promise<Secret> {
  const postgres = await startEmbeddedPostgres({ dataDir: settings.DATA_DIR, log })
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
    say('The database ended by itself; see postgres.log in the data folder. Stopping.')
    process.kill(process.pid, 'SIGTERM')
  })
  await lock.setDatabaseUrl(postgres.url)
  return new Secret(postgres.url)
}
