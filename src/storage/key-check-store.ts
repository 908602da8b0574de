import { AppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'
import type { KeyCheckStore } from '../vault/key-check.ts'
import { sqlState, withConnection } from './ensure-database.ts'

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const undefinedTable = '42P01'

/**
 * The one row of `key_check`, over a connection of its own: it is read before anything else is opened.
 * Its methods throw AppError `storage_unavailable`.
 */
export function createPostgresKeyCheckStore(databaseUrl: Secret): KeyCheckStore {
  const query = (sql: string, values: readonly string[]): Promise<string | null> =>
    withConnection(databaseUrl.reveal(), async (client) => {
      const { rows } = await client.query<{ sealed: string }>(sql, [...values])
      return rows[0]?.sealed ?? null
    }).catch((cause: unknown) => {
      const isBehind = sqlState(cause) === undefinedTable
      const reason = cause instanceof Error && cause.message !== '' ? cause.message : 'no answer'
      throw new AppError(
        'storage_unavailable',
        isBehind
          ? 'The database is not up to date. Run "patchbay migrate" first.'
          : `PostgreSQL cannot be used: ${reason}. Check DATABASE_URL.`,
        { cause },
      )
    })
  const read = () => query('SELECT sealed FROM key_check WHERE id = 1', [])
  return {
    read,
    async keepFirst(sealed) {
      const sql = 'INSERT INTO key_check (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING RETURNING sealed'
      return (await query(sql, [sealed])) ?? (await read()) ?? sealed
    },
  }
}
