import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import { queueMigration } from '../../src/queue/migrate-queue.ts'
import { startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts'
import { splitDatabaseUrl, withConnection } from '../../src/storage/ensure-database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { silentLog } from './silent-log.ts'

/** A PostgreSQL that nobody shares, so that a test may do to it what outages do. */
export type OwnPostgres = {
  /** Of a migrated database. The same before and after a restart. */
  readonly url: string
  start(): Promise<void>
  /** `fast`: sessions are cut off and everything is written. `immediate`: as in a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Cuts off every session. */
  killSessions(): Promise<void>
  /** Lets nobody write any more, or again. */
  setReadOnly(isReadOnly: boolean): Promise<void>
  close(): Promise<void>
}

/** Starts a PostgreSQL of its own, with a migrated database. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'patchbay-outage-'))
  // durable: a crash must not lose what was committed
  const launch = () => startEmbeddedPostgres({ dataDir: folder, log: silentLog })
  let running = await launch()
  const { url } = running
  await migrate(url, { folder: join(packageRoot(), 'prisma', 'migrations'), steps: [queueMigration], log: silentLog })
  const { name, maintenanceUrl } = splitDatabaseUrl(url)
  const ask = (sql: string) => withConnection(maintenanceUrl, async (client) => void (await client.query(sql)))

  const killSessions = () => ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`)
  return {
    url,
    async start() {
      running = await launch()
    },
    async stop(mode = 'fast') {
      if (mode === 'immediate') process.kill(running.pid, 'SIGQUIT')
      await running.stop()
    },
    killSessions,
    async setReadOnly(isReadOnly) {
      await ask(`ALTER DATABASE ${name} SET default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`)
      await killSessions()
    },
    async close() {
      await running.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
