import { expect } from 'chai'
import type pg from 'pg'
import { withConnection } from '../../src/storage/ensure-database.ts'

/** How many rows each table of ours holds, by `schema.table`, in whatever schema it lies. */
async function countRows(client: pg.Client): Promise<Record<string, number>> {
  const { rows: tables } = await client.query<{ schema: string; name: string }>(
    `SELECT table_schema AS schema, table_name AS name FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
      AND table_name <> 'audit_entries'
     ORDER BY 1, 2`,
  )
  const parts = tables.map(
    ({ schema, name }) => `SELECT '${schema}.${name}' AS "table", count(*)::int AS count FROM "${schema}"."${name}"`,
  )
  const { rows } = await client.query<{ table: string; count: number }>(parts.join(' UNION ALL '))
  return Object.fromEntries(rows.map(({ table, count }) => [table, count]))
}

/** Does `work`, and makes sure that no table but the audit log has another number of rows afterwards. */
export async function expectNothingStored<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  return withConnection(databaseUrl, async (client) => {
    const before = await countRows(client)
    const result = await work()
    expect(await countRows(client), 'rows').to.deep.equal(before)
    return result
  })
}
