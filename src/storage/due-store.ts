import type pg from 'pg'
import type { DueBatch, DueReference, DueStore } from '../connections/due-store.ts'

// By order, not by EXISTS: a plan that is made once for every time would take a third of the table for due, and read it through.
const isAnyDue = {
  name: 'is-any-due',
  text: 'SELECT next_refresh_at <= $1::timestamptz AS "isAnyDue" FROM connections ORDER BY next_refresh_at LIMIT 1',
}

/** The first due connection of each issuer: one step down the index per issuer, whatever number of connections it has. */
const firstOfEach = `WITH RECURSIVE first (issuer, next_refresh_at) AS (
    (SELECT issuer, next_refresh_at FROM connections WHERE issuer IS NOT NULL ORDER BY issuer, next_refresh_at LIMIT 1)
    UNION ALL
    SELECT next.* FROM first, LATERAL (
      SELECT issuer, next_refresh_at FROM connections WHERE issuer > first.issuer
      ORDER BY issuer, next_refresh_at LIMIT 1) AS next)`

const isReady = `coalesce(i.paused_until <= now(), true) AND coalesce(i.queued_until <= now(), true)
  AND (SELECT count(*) FROM issuer_slots s
    WHERE s.issuer = first.issuer AND s.slot >= least(1, $2 - 1) AND s.slot < $2 AND s.held_until >= now())
    < greatest($2 - 1, 1)`

const readyIssuers = {
  name: 'ready-issuers',
  text: `${firstOfEach}
    SELECT first.issuer, i.issuer IS NOT NULL AS "isKnown" FROM first LEFT JOIN issuers i ON i.issuer = first.issuer
    WHERE first.next_refresh_at <= $1::timestamptz AND ${isReady}
    ORDER BY first.next_refresh_at LIMIT 500`,
}

/**
 * The longest that a lost job holds up an issuer, and a refresh whose end nobody saw: many servers give the same answer again
 * for no longer than 30 seconds, of which the lease of the dead process took 15.
 */
const urgentMs = 5000

// An issuer's row is locked first, so that two sweeps never share one; then its connections, which a refresh may hold.
const claim = {
  name: 'claim-due',
  text: `WITH ready AS MATERIALIZED (
      SELECT i.issuer FROM issuers i
      WHERE i.issuer = ANY ($2::text[]) AND coalesce(i.queued_until <= now(), true) FOR UPDATE SKIP LOCKED),
    due AS MATERIALIZED (
      SELECT ready.issuer, c.id, c.next_refresh_at, c.refresh_started_at FROM ready, LATERAL (
        SELECT id, next_refresh_at, refresh_started_at FROM connections
        WHERE issuer = ready.issuer AND next_refresh_at <= $1::timestamptz AND is_active
        ORDER BY next_refresh_at LIMIT $3 FOR UPDATE SKIP LOCKED) AS c),
    queued AS (
      UPDATE issuers i SET queued_until = now() + least($4, ${urgentMs}) * interval '1 millisecond'
      FROM (SELECT DISTINCT issuer FROM due) AS found WHERE i.issuer = found.issuer)
    UPDATE connections c SET next_refresh_at = $1::timestamptz
      + CASE WHEN due.refresh_started_at IS NULL THEN $4 ELSE least($4, ${urgentMs}) END * interval '1 millisecond'
    FROM due WHERE c.id = due.id
    RETURNING c.issuer, c.tenant_id AS "tenantId", c.id, c.token_version AS "tokenVersion",
      due.next_refresh_at AS "dueAt", due.refresh_started_at IS NOT NULL AS "isCutOff"`,
}

const putBack = {
  name: 'put-due-back',
  text: `UPDATE connections c SET next_refresh_at = $1::timestamptz
    FROM unnest($2::uuid[], $3::uuid[], $4::integer[]) AS back (id, tenant_id, version)
    WHERE c.id = back.id AND c.tenant_id = back.tenant_id AND c.token_version = back.version
      AND c.next_refresh_at > $1::timestamptz AND (c.lease_until IS NULL OR c.lease_until < now())`,
}

const begin = { name: 'begin-job', text: 'UPDATE issuers SET queued_until = NULL WHERE issuer = $1' }

type Claimed = DueReference & { readonly issuer: string; readonly dueAt: Date; readonly isCutOff: boolean }

/**
 * What is due, in PostgreSQL.
 *
 * @param slotsPerIssuer how many requests at a time an issuer is asked by all processes together
 */
export function createPostgresDueStore(pool: pg.Pool, slotsPerIssuer: number): DueStore {
  async function findReady(now: Date): Promise<string[]> {
    const answer = await pool.query<{ isAnyDue: boolean | null }>({ ...isAnyDue, values: [now] })
    if (answer.rows[0]?.isAnyDue !== true) return []
    const { rows } = await pool.query<{ issuer: string; isKnown: boolean }>({
      ...readyIssuers,
      values: [now, slotsPerIssuer],
    })
    const strangers = rows.filter(({ isKnown }) => !isKnown).map(({ issuer }) => issuer)
    if (strangers.length > 0) {
      await pool.query('INSERT INTO issuers (issuer) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING', [strangers])
    }
    return rows.map(({ issuer }) => issuer)
  }

  return {
    async claim(now, { perIssuer, claimMs }) {
      const ready = await findReady(now)
      if (ready.length === 0) return []
      const { rows } = await pool.query<Claimed>({ ...claim, values: [now, ready, perIssuer, claimMs] })
      return toBatches(rows, now)
    },

    async putBack(issuer, references, now) {
      const column = <Name extends keyof DueReference>(name: Name) => references.map((reference) => reference[name])
      const values = [now, column('id'), column('tenantId'), column('tokenVersion')]
      if (references.length > 0) await pool.query({ ...putBack, values })
      await pool.query({ ...begin, values: [issuer] })
    },

    async begin(issuer) {
      await pool.query({ ...begin, values: [issuer] })
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
