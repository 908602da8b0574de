import type pg from 'pg'
import type { RejectionLimits } from '../connections/issuer-store.ts'

/** The row that counts for the whole installation. No issuer is called that: issuers are URLs. */
const everyone = '*'

const count = {
  name: 'count-rejection',
  text: `INSERT INTO issuers AS i (issuer, window_started_at, rejections)
    SELECT name, now(), 1 FROM unnest($1::text[]) AS name ORDER BY name
    ON CONFLICT (issuer) DO UPDATE SET
      window_started_at = CASE WHEN i.window_started_at > now() - $2 * interval '1 millisecond'
        THEN i.window_started_at ELSE now() END,
      rejections = CASE WHEN i.window_started_at > now() - $2 * interval '1 millisecond' THEN i.rejections + 1 ELSE 1 END,
      population = CASE WHEN i.window_started_at > now() - $2 * interval '1 millisecond' THEN i.population END
    RETURNING issuer, rejections, population, coalesce(held_until > now(), false) AS "isHeld"`,
}

type Counted = {
  readonly issuer: string
  readonly rejections: number
  readonly population: number | null
  isHeld: boolean
}

/** Counts a rejection for its issuer and for everybody; see `IssuerStore.countRejection`. */
export async function countRejection(pool: pg.Pool, issuer: string, limits: RejectionLimits): Promise<boolean> {
  const { rows } = await pool.query<Counted>({ ...count, values: [[issuer, everyone], limits.windowMs] })
  const judged = await Promise.all(
    rows.map(async (row) => {
      if (row.isHeld) return true
      if (row.rejections <= limits.count) return false
      const population = row.population ?? (await countGrants(pool, row.issuer))
      return row.rejections > population * limits.share
    }),
  )
  const flooded = rows.filter((_, index) => judged[index]).map((row) => row.issuer)
  if (flooded.length === 0) return false
  // prolonged by every further one: grants that are kept are tried again, and must not end when the window does
  await pool.query(
    `UPDATE issuers SET held_until = now() + $2 * interval '1 millisecond' WHERE issuer = ANY ($1::text[])`,
    [flooded, limits.holdMs],
  )
  return true
}

/** How many grants there are to renew. Counted once in a window, since there may be a million. */
async function countGrants(pool: pg.Pool, issuer: string): Promise<number> {
  const { rows } = await pool.query<{ population: number }>(
    `WITH counted AS (
       SELECT count(*)::int AS population FROM connections
       WHERE next_refresh_at IS NOT NULL AND (issuer = $1 OR $1 = '${everyone}'))
     UPDATE issuers SET population = counted.population FROM counted WHERE issuer = $1 RETURNING counted.population`,
    [issuer],
  )
  return rows[0]?.population ?? 0
}
