import type pg from 'pg'
import type { KeyUse, SealedColumn, SealedStore, SealedValue } from '../vault/sealed-store.ts'
import type { SealedColumnFacts } from './sealed-columns.ts'

/** `v1.<kid>.<iv>...`, see vault.ts. */
const kidOf = (column: string) => `split_part(${column}, '.', 2)`

/** Sealed values over one connection. Names of tables and columns come from prisma/schema.prisma, never from outside. */
export function createPostgresSealedStore(client: pg.ClientBase, facts: readonly SealedColumnFacts[]): SealedStore {
  const factsOf = ({ table, column }: SealedColumn): SealedColumnFacts => {
    const found = facts.find((known) => known.table === table && known.column === column)
    if (found === undefined) throw new Error(`${table}.${column} holds no sealed values`)
    return found
  }
  const selectionOf = ({ id, tenant, column }: SealedColumnFacts) =>
    `${id.column}::text AS "rowId", ${tenant} AS "tenantId", ${column} AS sealed`

  return {
    columns: facts.map(({ table, column }) => ({ table, column })),

    async usesOf(place) {
      const fact = factsOf(place)
      const { table, column, id } = fact
      const { rows } = await client.query<{ kid: string; count: number; rowId: string }>(
        `SELECT ${kidOf(column)} AS kid, count(*)::int AS count, min(${id.column}::text) AS "rowId"
           FROM ${table} WHERE ${column} IS NOT NULL GROUP BY 1 ORDER BY 1`,
      )
      const uses: KeyUse[] = []
      for (const { kid, count, rowId } of rows) {
        const samples = await client.query<SealedValue>(
          `SELECT ${selectionOf(fact)} FROM ${table} WHERE ${id.column} = $1::${id.type} AND ${column} IS NOT NULL`,
          [rowId],
        )
        const [sample] = samples.rows
        // gone since, and with it the reason to ask
        if (sample !== undefined) uses.push({ kid, count, sample })
      }
      return uses
    },

    async read(place, { exceptKid, afterRowId, limit }) {
      const fact = factsOf(place)
      const { table, column, id } = fact
      const { rows } = await client.query<SealedValue>(
        `SELECT ${selectionOf(fact)} FROM ${table}
          WHERE ${column} IS NOT NULL AND ${kidOf(column)} <> $1 AND ($2::${id.type} IS NULL OR ${id.column} > $2::${id.type})
          ORDER BY ${id.column} LIMIT $3`,
        [exceptKid, afterRowId, limit],
      )
      return rows
    },

    async replace(place, changes) {
      if (changes.length === 0) return 0
      const { table, column, id } = factsOf(place)
      const { rowCount } = await client.query(
        `UPDATE ${table} AS row SET ${column} = change.fresh
           FROM unnest($1::${id.type}[], $2::text[], $3::text[]) AS change(id, sealed, fresh)
          WHERE row.${id.column} = change.id AND row.${column} = change.sealed`,
        [changes.map(({ rowId }) => rowId), changes.map(({ sealed }) => sealed), changes.map(({ fresh }) => fresh)],
      )
      return rowCount ?? 0
    },
  }
}
