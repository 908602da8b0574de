import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { AppError } from '../../../src/kernel/app-error.ts'
import { queueMigration } from '../../../src/queue/migrate-queue.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { type MigrateOptions, migrate, pendingMigrations } from '../../../src/storage/migrate.ts'
import { silentLog } from '../../support/silent-log.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { databaseUrlOn, testServer } from '../../support/test-server.ts'
import { until } from '../../support/until.ts'

const options: MigrateOptions = {
  folder: join(packageRoot(), 'prisma', 'migrations'),
  steps: [queueMigration],
  log: silentLog,
}

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof AppError)) throw new Error(`expected an AppError, got ${String(outcome)}`)
  return outcome
}

describe('migrate', () => {
  const names: string[] = []
  let folder: string

  async function freshUrl(): Promise<string> {
    const name = `migrate_${names.length}`
    names.push(name)
    return databaseUrlOn((await testServer()).postgres, name)
  }

  async function migrationFolder(migrations: Record<string, string>): Promise<string> {
    const made = await mkdtemp(join(folder, 'migrations-'))
    for (const [name, sql] of Object.entries(migrations)) {
      await mkdir(join(made, name))
      await writeFile(join(made, name, 'migration.sql'), sql)
    }
    return made
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchbay-migrate-'))
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true })
    await withConnection(databaseUrlOn((await testServer()).postgres, 'postgres'), async (client) => {
      for (const name of names) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    })
  })

  it('makes the missing database and its tables, ours and the queue’s', async () => {
    const url = await freshUrl()
    const applied = await migrate(url, options)
    expect(applied[0]).to.match(/^\d{14}_/)
    expect(applied.at(-1)).to.equal('bullmq')
    const tables = await withConnection(url, (client) =>
      client.query(
        `SELECT to_regclass('public.connections')::text AS ours, to_regclass('bullmq.migration')::text AS queue`,
      ),
    )
    expect(tables.rows).to.deep.equal([{ ours: 'connections', queue: 'bullmq.migration' }])
  })

  it('does nothing the second time, and says so in advance', async () => {
    const url = await freshUrl()
    await migrate(url, options)
    expect(await pendingMigrations(url, options)).to.deep.equal([])
    expect(await migrate(url, options)).to.deep.equal([])
  })

  it('lets processes that start together take turns', async () => {
    const url = await freshUrl()
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => migrate(url, options)))
    const applied = outcomes.filter((names) => names.length > 0)
    expect(applied, 'how many of them found something to do').to.have.length(1)
    const rows = await withConnection(url, (client) =>
      client.query(
        'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY migration_name',
      ),
    )
    expect(rows.rows.map((row) => row.migration_name)).to.deep.equal(applied[0]?.slice(0, -1))
  })

  it('takes a migration that another process is at for unfinished, not for failed', async () => {
    const url = await freshUrl()
    await migrate(url, { ...options, folder: await migrationFolder({ '1_slow': 'SELECT 1;' }), steps: [] })
    const both = {
      ...options,
      folder: await migrationFolder({ '1_slow': 'SELECT 1;', '2_next': 'SELECT 2;' }),
      steps: [],
    }
    await withConnection(url, async (holder) => {
      await holder.query('SELECT pg_advisory_lock($1)', [0x70626d67])
      await holder.query('UPDATE _prisma_migrations SET finished_at = NULL')
      expect(await pendingMigrations(url, both)).to.deep.equal(['1_slow', '2_next'])
      const waiting = migrate(url, both)
      const isWaiting = async () =>
        (
          await holder.query(
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()",
          )
        ).rowCount === 1
      await until('the second process to wait', isWaiting)
      await holder.query('UPDATE _prisma_migrations SET finished_at = now()')
      await holder.query('SELECT pg_advisory_unlock($1)', [0x70626d67])
      expect(await waiting).to.deep.equal(['2_next'])
    })
  })

  it('gives up when another process holds the lock for too long', async () => {
    const url = await freshUrl()
    await migrate(url, { ...options, folder: await migrationFolder({}), steps: [] })
    await withConnection(url, async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [0x70626d67])
      const failure = await failureOf(migrate(url, { ...options, lockWaitMs: 100 }))
      expect(failure.code).to.equal('storage_unavailable')
      expect(failure.message).to.contain('too long')
    })
    expect(await migrate(url, options), 'once the lock is free').to.not.deep.equal([])
  })

  it('reports what is pending without changing anything', async () => {
    const url = await freshUrl()
    await migrate(url, { ...options, folder: await migrationFolder({}), steps: [] })
    const pending = await pendingMigrations(url, options)
    expect(pending.length).to.be.greaterThan(1)
    expect(await pendingMigrations(url, options)).to.deep.equal(pending)
  })

  it('names the missing database when asked what is pending', async () => {
    const failure = await failureOf(pendingMigrations(await freshUrl(), options))
    expect(failure.message).to.contain('does not exist')
  })

  it('applies only what is new', async () => {
    const url = await freshUrl()
    const one = { '1_one': 'CREATE TABLE one (id int);' }
    await migrate(url, { ...options, folder: await migrationFolder(one), steps: [] })
    const both = await migrationFolder({ ...one, '2_two': 'CREATE TABLE two (id int);' })
    expect(await migrate(url, { ...options, folder: both, steps: [] })).to.deep.equal(['2_two'])
  })

  it('leaves a database alone that is ahead of this version', async () => {
    const url = await freshUrl()
    const one = { '1_one': 'CREATE TABLE one (id int);' }
    const both = await migrationFolder({ ...one, '2_two': 'CREATE TABLE two (id int);' })
    await migrate(url, { ...options, folder: both, steps: [] })
    expect(await migrate(url, { ...options, folder: await migrationFolder(one), steps: [] })).to.deep.equal([])
  })

  it('warns of a migration that was edited after it had been applied', async () => {
    const url = await freshUrl()
    await migrate(url, { ...options, folder: await migrationFolder({ '1_one': 'SELECT 1;' }), steps: [] })
    const warnings: unknown[] = []
    const log = { ...silentLog, warn: (facts: unknown) => void warnings.push(facts) }
    await migrate(url, { folder: await migrationFolder({ '1_one': 'SELECT 2;' }), log })
    expect(warnings).to.deep.equal([{ migrations: ['1_one'] }])
  })

  it('says why a migration failed, and refuses to go on until a person has looked', async () => {
    const url = await freshUrl()
    const broken = {
      ...options,
      folder: await migrationFolder({ '1_broken': 'CREATE TABLE t (a nonsense);' }),
      steps: [],
    }
    const first = await failureOf(migrate(url, broken))
    expect(first.code).to.equal('storage_unavailable')
    expect(first.message).to.contain('type "nonsense" does not exist')
    const second = await failureOf(migrate(url, broken))
    expect(second.message).to.contain('1_broken').and.to.contain('resolve')
  })

  it('runs a function whose body holds semicolons, and leaves nothing of a script that fails', async () => {
    const url = await freshUrl()
    const body = 'BEGIN RETURN 1; END'
    const sql = `CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ ${body} $$; CREATE TABLE made (id int);`
    await migrate(url, { ...options, folder: await migrationFolder({ '1_function': sql }), steps: [] })
    const broken = { '1_function': sql, '2_broken': 'CREATE TABLE half (id int); CREATE TABLE made (id int);' }
    await migrate(url, { ...options, folder: await migrationFolder(broken), steps: [] }).catch(() => {})
    const { rows } = await withConnection(url, (client) =>
      client.query("SELECT one(), to_regclass('made') AS made, to_regclass('half') AS half"),
    )
    expect(rows).to.deep.equal([{ one: 1, made: 'made', half: null }])
  })

  it('does not wait for ever for a table that somebody holds', async () => {
    const url = await freshUrl()
    const one = { '1_one': 'CREATE TABLE one (id int);' }
    await migrate(url, { ...options, folder: await migrationFolder(one), steps: [] })
    const both = await migrationFolder({ ...one, '2_two': 'ALTER TABLE one ADD COLUMN name text;' })
    await withConnection(url, async (client) => {
      await client.query('BEGIN; LOCK TABLE one IN ACCESS SHARE MODE')
      const failure = await failureOf(migrate(url, { ...options, folder: both, steps: [], tableLockMs: 100 }))
      expect(failure.message).to.contain('lock timeout')
      await client.query('ROLLBACK')
    })
  })

  it('names the server that does not answer', async () => {
    const failure = await failureOf(migrate('postgresql://me:hidden@127.0.0.1:1/x', options))
    expect(failure.message).to.contain('127.0.0.1:1').and.to.contain('DATABASE_URL').and.not.to.contain('hidden')
  })
})

describe('createTestDatabase', () => {
  const databases: TestDatabase[] = []
  after(() => Promise.all(databases.map((database) => database.drop())))

  it('hands out migrated databases that do not see each other', async () => {
    for (let i = 0; i < 2; i += 1) databases.push(await createTestDatabase())
    const [a, b] = databases
    if (a === undefined || b === undefined) throw new Error('no databases')
    const insert = `INSERT INTO tenants (id, slug, name) VALUES (gen_random_uuid(), 'x', 'x')`
    await withConnection(a.url, (client) => client.query(insert))
    const count = (url: string) =>
      withConnection(url, async (client) => (await client.query('SELECT count(*)::int AS n FROM tenants')).rows[0].n)
    expect([await count(a.url), await count(b.url)]).to.deep.equal([1, 0])
  })
})
