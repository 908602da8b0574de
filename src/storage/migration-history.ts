import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'

/** A folder of `prisma/migrations`. */
export type Migration = {
  /** `<utc>_<name>`, which is also the order. */
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file in hex: what Prisma notes in `_prisma_migrations`. */
  readonly checksum: string
}

export type MigrationHistory = {
  /** Not applied yet, in order. */
  readonly pending: readonly string[]
  /** Begun and not finished: under way in another process, or failed half-way. */
  readonly unfinished: readonly string[]
  /** Applied with another text than the file has now. */
  readonly edited: readonly string[]
}

/** Reads all migrations, in order. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/**
 * Compares the migrations with what the database says was applied, in one plain query. Migrations that only the
 * database knows are no concern: during a rolling upgrade, older processes meet a newer database.
 */
export async function readHistory(client: pg.Client, migrations: readonly Migration[]): Promise<MigrationHistory> {
  const table = await client.query<{ exists: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`,
  )
  if (table.rows[0]?.exists !== true) return { pending: migrations.map(({ name }) => name), unfinished: [], edited: [] }

  const { rows } = await client.query<{ name: string; checksum: string; isFinished: boolean }>(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS "isFinished"
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  )
  const applied = new Map(rows.filter((row) => row.isFinished).map((row) => [row.name, row.checksum]))
  const unfinished = rows.filter((row) => !row.isFinished && !applied.has(row.name)).map((row) => row.name)
  return {
    pending: migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name),
    unfinished,
    edited: migrations
      .filter(({ name, checksum }) => (applied.get(name) ?? checksum) !== checksum)
      .map(({ name }) => name),
  }
}
