import { setTimeout as delay } from 'node:timers/promises'
import { withConnection } from '../../src/storage/ensure-database.ts'

const pollMs = 500
/** How late a refresh may be begun: two sweeps and a busy machine. */
const lateMs = 5_000

/**
 * Watches for `peaceMs` and the life of a token, without any more trouble, whether connections are late: their token has
 * run out, or their refresh is overdue.
 *
 * @returns when one was last late, in milliseconds from the beginning (0: never), and how many at once at most
 */
export async function watchPunctuality(
  databaseUrl: string,
  peaceMs: number,
  tokenSeconds: number,
): Promise<{ lateMs: number; mostLate: number }> {
  const startedAt = performance.now()
  const found = { lateMs: 0, mostLate: 0 }
  await withConnection(databaseUrl, async (client) => {
    while (performance.now() - startedAt < peaceMs + tokenSeconds * 1000) {
      const { rows } = await client.query(
        `SELECT count(*)::int AS count FROM connections WHERE state = 'connected'
          AND (access_expires_at < now() OR next_refresh_at IS NULL
            OR next_refresh_at < now() - $1 * interval '1 millisecond')`,
        [lateMs],
      )
      if (rows[0].count > 0) found.lateMs = performance.now() - startedAt
      found.mostLate = Math.max(found.mostLate, rows[0].count)
      await delay(pollMs)
    }
  })
  return found
}

/** The connections that are no longer connected, with how many of them give which reason. */
export async function readDisconnects(databaseUrl: string) {
  return withConnection(databaseUrl, async (client) => {
    const { rows } = await client.query(`SELECT id, disconnect_code FROM connections WHERE state <> 'connected'`)
    const disconnects: Record<string, number> = {}
    for (const { disconnect_code: code } of rows) disconnects[code] = (disconnects[code] ?? 0) + 1
    return { disconnects, ids: rows.map(({ id }) => String(id)) }
  })
}
