import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import { queueMigration } from '../../src/queue/migrate-queue.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { identifyProcess } from '../../src/storage/process-identity.ts'
import { silentLog } from './silent-log.ts'

const folderPrefix = 'patchbay-test-'
export const templateName = 'patchbay_template'

/** Names a server that a run shares with others, template included: the proof of the checklist makes a hundred small runs. */
export const sharedServerVariable = 'PATCHBAY_TEST_POSTGRES'

type TestServer = { readonly postgres: Pick<EmbeddedPostgres, 'url' | 'stop'>; readonly folder: string | null }
let starting: Promise<TestServer> | undefined

/** The one PostgreSQL of this run, with a migrated template database: started when first asked for. */
export function testServer(): Promise<TestServer> {
  starting ??= start()
  return starting
}

async function start(): Promise<TestServer> {
  const shared = process.env[sharedServerVariable]
  if (shared !== undefined) return { postgres: { url: shared, stop: async () => undefined }, folder: null }
  removeLeftOvers()
  const folder = await mkdtemp(join(tmpdir(), `${folderPrefix}${process.pid}-`))
  const postgres = await startEmbeddedPostgres({ dataDir: folder, durable: false, log: silentLog })
  // A test file that is run alone has no global teardown; mocha then just ends.
  process.once('exit', () => {
    if (!existsSync(folder)) return
    waitForEnd(folder, postgres.pid)
    rmSync(folder, { recursive: true, force: true })
  })
  await migrate(databaseUrlOn(postgres, templateName), {
    folder: join(packageRoot(), 'prisma', 'migrations'),
    steps: [queueMigration],
    log: silentLog,
  })
  return { postgres, folder }
}

/** Stops the server, where one was started. */
export async function stopTestServer(): Promise<void> {
  if (starting === undefined) return
  const { postgres, folder } = await starting
  starting = undefined
  await postgres.stop()
  if (folder !== null) await rm(folder, { recursive: true, force: true })
}

/** The URL of another database on the same server. */
export function databaseUrlOn(postgres: Pick<EmbeddedPostgres, 'url'>, name: string): string {
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  return url.href
}

/** Ends the server from an exit handler, where nothing can be awaited. Its data is thrown away, so it may end hard. */
function waitForEnd(folder: string, pid: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  try {
    process.kill(pid, 'SIGQUIT')
  } catch {
    return
  }
  for (let tries = 0; tries < 200 && existsSync(join(folder, 'postgres', 'postmaster.pid')); tries += 1) {
    Atomics.wait(clock, 0, 0, 10)
  }
}

/** Folders of runs that were killed. */
function removeLeftOvers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(folderPrefix) ? Number.parseInt(name.slice(folderPrefix.length), 10) : Number.NaN
    if (Number.isNaN(pid) || identifyProcess(pid) !== undefined) continue
    rmSync(join(tmpdir(), name), { recursive: true, force: true })
  }
}
