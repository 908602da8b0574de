import { setTimeout as sleep } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { AppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'
import { ensureDatabase, withConnection } from './ensure-database.ts'
import { type Migration, readHistory, readMigrations } from './migration-history.ts'
import { emptySchema, openSchemaEngine } from './schema-engine.ts'
import { wholeScripts } from './whole-scripts.ts'

// Any number that nobody else takes: "pbmg" in ASCII.
const advisoryLock = 0x70_62_6d_67
const lockPollMs = 50
const defaultLockWaitMs = 120_000
const defaultTableLockMs = 10_000

/** Tables that belong to somebody else's library and are brought up to date together with ours. */
export type MigrationStep = {
  readonly name: string
  isPending(client: pg.Client): Promise<boolean>
  apply(client: pg.Client): Promise<void>
}

export type MigrateOptions = {
  /** `prisma/migrations` of this package. */
  readonly folder: string
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Run after our own migrations, under the same lock. */
  readonly steps?: readonly MigrationStep[]
  /** How long to wait for another process that migrates, in milliseconds. Default: two minutes. */
  readonly lockWaitMs?: number
  /**
   * After how many milliseconds a migration gives up that cannot lock its table: every query behind it waits as well.
   * Default: ten seconds.
   */
  readonly tableLockMs?: number
}

/**
 * Brings a database up to date: makes it where it is missing, applies pending migrations with Prisma's own engine
 * (so that its CLI understands the result), then the further steps. Processes that start together take turns.
 * When nothing is pending this is three plain queries.
 *
 * @returns what was applied, in order; empty when the database was up to date
 * @throws AppError `storage_unavailable` with a message for people
 */
export async function migrate(databaseUrl: string, options: MigrateOptions): Promise<readonly string[]> {
  const { log, steps = [] } = options
  const migrations = await readMigrations(options.folder)
  await ensureDatabase(databaseUrl)
  return withConnection(databaseUrl, async (client) => {
    if ((await findPending(client, migrations, steps, log)).length === 0) return []
    return underLock(client, options.lockWaitMs ?? defaultLockWaitMs, async () => {
      const pending = await findPending(client, migrations, steps, log)
      if (pending.length === 0) return []
      await refuseHalfDone(client, migrations)
      log.info({ pending }, 'migrating the database')
      await client.query(setLockTimeout(options))
      if (migrations.some(({ name }) => pending.includes(name))) await applyMigrations(databaseUrl, options, migrations)
      for (const step of steps) if (pending.includes(step.name)) await step.apply(client)
      return pending
    })
  })
}

/**
 * What `migrate` would apply, without changing anything: names of migrations and steps, in order.
 *
 * @throws AppError `storage_unavailable`, also when the database does not exist
 */
export async function pendingMigrations(
  databaseUrl: string,
  options: Pick<MigrateOptions, 'steps' | 'folder' | 'log'>,
): Promise<readonly string[]> {
  const migrations = await readMigrations(options.folder)
  try {
    return await withConnection(databaseUrl, (client) =>
      findPending(client, migrations, options.steps ?? [], options.log),
    )
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const reason = cause instanceof Error ? cause.message : 'no answer'
    throw new AppError('storage_unavailable', `PostgreSQL cannot be used: ${reason}. Check DATABASE_URL.`, { cause })
  }
}

function setLockTimeout({ tableLockMs = defaultTableLockMs }: MigrateOptions): string {
  return `SET lock_timeout = ${Math.ceil(tableLockMs)}`
}

async function findPending(
  client: pg.Client,
  migrations: readonly Migration[],
  steps: readonly MigrationStep[],
  log: MigrateOptions['log'],
): Promise<string[]> {
  const history = await readHistory(client, migrations)
  if (history.edited.length > 0) {
    log.warn({ migrations: history.edited }, 'migrations were edited after they had been applied here')
  }
  const pending = [...new Set([...history.pending, ...history.unfinished])]
  for (const step of steps) if (await step.isPending(client)) pending.push(step.name)
  return pending
}

/** Only under the lock: without it, what is unfinished may be what another process is at. */
async function refuseHalfDone(client: pg.Client, migrations: readonly Migration[]): Promise<void> {
  const { unfinished } = await readHistory(client, migrations)
  if (unfinished.length === 0) return
  throw new AppError(
    'storage_unavailable',
    `The migration ${unfinished.join(', ')} failed half-way earlier. See its "logs" in the table _prisma_migrations, put the database right, then run: npx prisma migrate resolve`,
  )
}

/**
 * Holds the advisory lock for the length of `work`. It is polled for: a session that waits inside PostgreSQL holds a
 * snapshot, which a `CREATE INDEX CONCURRENTLY` in the migration of the lock's holder would wait for in turn.
 */
async function underLock<T>(client: pg.Client, waitMs: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + waitMs
  for (;;) {
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [advisoryLock])
    if (rows[0]?.held === true) break
    if (performance.now() > end) {
      throw new AppError('storage_unavailable', 'Another process has been migrating this database for too long.')
    }
    await sleep(lockPollMs)
  }
  try {
    return await work()
  } finally {
    // The lock also ends with the session, which is what happens when this query cannot be sent any more.
    await client.query('SELECT pg_advisory_unlock($1)', [advisoryLock]).catch(() => {})
  }
}

async function applyMigrations(
  databaseUrl: string,
  options: MigrateOptions,
  migrations: readonly Migration[],
): Promise<void> {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 1,
    onConnect: async (client) => void (await client.query(setLockTimeout(options))),
  })
  pool.on('error', () => {})
  try {
    const { engine, adapter } = await openSchemaEngine([emptySchema], wholeScripts(new PrismaPg(pool)))
    try {
      await engine.applyMigrations({
        migrationsList: {
          baseDir: options.folder,
          lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"' },
          shadowDbInitScript: '',
          migrationDirectories: migrations.map(({ name, sql }) => ({
            path: name,
            migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
          })),
        },
        filters: { externalTables: [], externalEnums: [] },
      })
    } catch (error) {
      throw describeFailure(error, adapter)
    } finally {
      engine.free()
    }
  } finally {
    await pool.end()
  }
}

type Errors = { errorRegistry: { consumeError(id: number): { error: unknown } | undefined } }

function describeFailure(error: unknown, { errorRegistry }: Errors): AppError {
  // Where the driver's error is not one that the engine knows, it hands over the number under which the adapter keeps it.
  const id = error instanceof Error && typeof error.cause === 'number' ? error.cause : undefined
  const cause = id === undefined ? error : (errorRegistry.consumeError(id)?.error ?? error)
  // What follows the message is a trace through the engine's own sources.
  const reason = cause instanceof Error ? cause.message.split(/\n\s+0: /)[0] : 'no reason given'
  return new AppError('storage_unavailable', `A migration failed: ${reason}`, { cause })
}
