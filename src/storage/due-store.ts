import type pg from 'pg'
import type { DueBatch, DueReference, DueStore } from '../connections/due-store.ts'

// By order, not by EXISTS: a plan that is made once for every time would take a third of the table for due, and read it through.
const isAnyDue = {
  name: 'is-any-due',
  text: 'SELECT next_refresh_at <= $1::timestamptz AS "isAnyDue" FROM connections ORDER BY next_refresh_at LIMIT 1',
}

/** Nobody is renewing it: a lease leaves a connection where it stands in the line. */
const isFree = '(lease_until IS NULL OR lease_until < now())'

/** The first connection of each issuer that is free: one step down the index per issuer, whatever number of connections it has. */
const firstOfEach = `WITH RECURSIVE first (issuer, next_refresh_at, refresh_started_at) AS (
    (SELECT issuer, next_refresh_at, refresh_started_at FROM connections WHERE issuer IS NOT NULL AND ${isFree}
      ORDER BY issuer, next_refresh_at LIMIT 1)
    UNION ALL
    SELECT next.* FROM first, LATERAL (
      SELECT issuer, next_refresh_at, refresh_started_at FROM connections WHERE issuer > first.issuer AND ${isFree}
      ORDER BY issuer, next_refresh_at LIMIT 1) AS next)`

/**
 * The longest that a lost job holds up a refresh whose end nobody saw, milliseconds: many servers give the same answer again
 * for no longer than 30 seconds, of which the lease of the dead process took 15.
 */
const urgentMs = 5000

const isReady = `coalesce(i.paused_until <= now(), true) AND coalesce(i.queued_until <= now() + "slackMs" * interval '1 ms', true)
  AND (SELECT count(*) FROM issuer_slots s
    WHERE s.issuer = first.issuer AND s.slot >= least(1, $2 - 1) AND s.slot < $2 AND s.held_until >= now())
    < greatest($2 - 1, 1)`

const readyIssuers = {
  name: 'ready-issuers',
  text: `${firstOfEach}
    SELECT first.issuer, i.issuer IS NOT NULL AS "isKnown", "slackMs"
    FROM first LEFT JOIN issuers i ON i.issuer = first.issuer,
      LATERAL (SELECT CASE WHEN first.refresh_started_at IS NULL THEN 0 ELSE greatest($3 - ${urgentMs}, 0) END AS "slackMs") AS slack
    WHERE first.next_refresh_at <= $1::timestamptz AND ${isReady}
    ORDER BY first.next_refresh_at LIMIT 500`,
}

// An issuer's row is what is claimed, so that two sweeps never share one: its connections are only looked at, since each write
// of one costs as much as half a refresh. A run leases them before it touches them.
const claim = {
  name: 'claim-due',
  text: `WITH ready AS MATERIALIZED (
      SELECT i.issuer FROM unnest($2::text[], $5::float[]) AS wanted (issuer, slack_ms) JOIN issuers i ON i.issuer = wanted.issuer
      WHERE coalesce(i.queued_until <= now() + wanted.slack_ms * interval '1 ms', true) FOR UPDATE OF i SKIP LOCKED),
    due AS MATERIALIZED (
      SELECT ready.issuer, c.* FROM ready, LATERAL (
        SELECT tenant_id, id, token_version, next_refresh_at, refresh_started_at FROM connections
        WHERE issuer = ready.issuer AND next_refresh_at <= $1::timestamptz AND is_active AND ${isFree}
        ORDER BY next_refresh_at LIMIT $3) AS c),
    queued AS (
      UPDATE issuers i SET queued_until = now()
        + CASE WHEN found.is_cut_off THEN least($4, ${urgentMs}) ELSE $4 END * interval '1 ms'
      FROM (SELECT issuer, bool_or(refresh_started_at IS NOT NULL) AS is_cut_off FROM due GROUP BY issuer) AS found
      WHERE i.issuer = found.issuer)
    SELECT issuer, tenant_id AS "tenantId", id, token_version AS "tokenVersion",
      next_refresh_at AS "dueAt", refresh_started_at IS NOT NULL AS "isCutOff"
    FROM due`,
}

const release = { name: 'release-issuer', text: 'UPDATE issuers SET queued_until = NULL WHERE issuer = $1' }

type Ready = { readonly issuer: string; readonly slackMs: number }
type Claimed = DueReference & { readonly issuer: string; readonly dueAt: Date; readonly isCutOff: boolean }

/**
 * What is due, in PostgreSQL.
 *
 * @param slotsPerIssuer how many requests at a time an issuer is asked by all processes together
 */
export function createPostgresDueStore(pool: pg.Pool, slotsPerIssuer: number): DueStore {
  async function findReady(now: Date, claimMs: number): Promise<Ready[]> {
    const answer = await pool.query<{ isAnyDue: boolean | null }>({ ...isAnyDue, values: [now] })
    if (answer.rows[0]?.isAnyDue !== true) return []
    const { rows } = await pool.query<Ready & { isKnown: boolean }>({
      ...readyIssuers,
      values: [now, slotsPerIssuer, claimMs],
    })
    const strangers = rows.filter(({ isKnown }) => !isKnown).map(({ issuer }) => issuer)
    if (strangers.length > 0) {
      await pool.query('INSERT INTO issuers (issuer) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING', [strangers])
    }
    return rows
  }

  return {
    async claim(now, { perIssuer, claimMs }) {
      const ready = await findReady(now, claimMs)
      if (ready.length === 0) return []
      const issuers = ready.map(({ issuer }) => issuer)
      const slacks = ready.map(({ slackMs }) => slackMs)
      const { rows } = await pool.query<Claimed>({ ...claim, values: [now, issuers, perIssuer, claimMs, slacks] })
      return toBatches(rows, now)
    },

    async release(issuer) {
      await pool.query({ ...release, values: [issuer] })
    },
  }
}

/** What a dead process may have had half done does not wait behind the rest. */
const inOrder = (a: Claimed, b: Claimed): number => Number(b.isCutOff) - Number(a.isCutOff) || +a.dueAt - +b.dueAt

function toBatches(rows: readonly Claimed[], now: Date): DueBatch[] {
  const batches = new Map<string, { references: DueReference[]; lateMs: number }>()
  for (const { issuer, dueAt, tenantId, id, tokenVersion } of rows.toSorted(inOrder)) {
    const batch = batches.get(issuer) ?? { references: [], lateMs: 0 }
    batch.lateMs = Math.max(batch.lateMs, now.getTime() - dueAt.getTime())
    batch.references.push({ tenantId, id, tokenVersion })
    batches.set(issuer, batch)
  }
  return [...batches].map(([issuer, batch]) => ({ issuer, ...batch }))
}
