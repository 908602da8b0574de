import type pg from 'pg'
import type { BreakerTimings, IssuerStore } from '../connections/issuer-store.ts'
import { countRejection } from './rejection-count.ts'

export type IssuerLimits = {
  /** How many requests at a time an issuer is asked by all processes together. */
  readonly slotsPerIssuer: number
  readonly breaker: BreakerTimings
}

const paused = `greatest(0, ceil(extract(epoch FROM paused_until - now()) * 1000))::float`

const take = {
  name: 'take-slots',
  text: `WITH state AS (
      SELECT failures >= $5 AS is_open, failures, coalesce(${paused}, 0) AS paused_ms FROM issuers WHERE issuer = $1),
    free AS (
      SELECT s.slot FROM issuer_slots s, state
      WHERE s.issuer = $1 AND (s.held_until IS NULL OR s.held_until < now()) AND state.paused_ms = 0
        AND CASE WHEN state.is_open THEN s.slot = 0 ELSE s.slot >= $2 AND s.slot < $3 END
      ORDER BY s.slot LIMIT $4 FOR UPDATE OF s SKIP LOCKED),
    taken AS (
      UPDATE issuer_slots s SET holder = $6::uuid, held_until = now() + $7 * interval '1 millisecond'
      FROM free WHERE s.issuer = $1 AND s.slot = free.slot RETURNING s.slot)
    SELECT (SELECT count(*) FROM taken)::int AS slots, failures, paused_ms AS "pausedMs" FROM state`,
}

const renew = {
  name: 'renew-slots',
  text: `UPDATE issuer_slots s SET held_until = now() + $3 * interval '1 millisecond'
    FROM issuers i
    WHERE s.issuer = ANY ($1::text[]) AND s.holder = ANY ($2::uuid[]) AND s.held_until >= now() AND i.issuer = s.issuer
    RETURNING s.holder, i.failures`,
}

const release = {
  name: 'release-slots',
  text: `UPDATE issuer_slots SET holder = NULL, held_until = NULL WHERE issuer = $1 AND holder = $2::uuid`,
}

// While the issuer is paused nothing more is counted: what fails then was on its way before.
const fail = {
  name: 'record-issuer-failure',
  text: `INSERT INTO issuers AS i (issuer, failures) VALUES ($1, 1)
    ON CONFLICT (issuer) DO UPDATE SET
      failures = CASE WHEN i.paused_until > now() THEN i.failures ELSE i.failures + 1 END,
      trips = CASE WHEN i.paused_until > now() OR i.failures + 1 < $2 THEN i.trips ELSE least(i.trips + 1, 30) END,
      paused_until = CASE WHEN i.paused_until > now() OR i.failures + 1 < $2 THEN i.paused_until
        ELSE now() + least($3 * 2 ^ i.trips, $4) * (1 + $5::float / 4) * interval '1 millisecond' END
    RETURNING failures, coalesce(${paused}, 0) AS "pausedMs"`,
}

const succeed = {
  name: 'record-issuer-success',
  text: `UPDATE issuers SET failures = 0, trips = 0 WHERE issuer = $1 AND failures > 0`,
}

const pause = {
  name: 'pause-issuer',
  text: `INSERT INTO issuers AS i (issuer, paused_until) VALUES ($1, now() + $2 * interval '1 millisecond')
    ON CONFLICT (issuer) DO UPDATE SET paused_until = greatest(i.paused_until, excluded.paused_until)`,
}

/** Issuers in PostgreSQL: rows that every process sees at once, judged by the database's clock. */
export function createPostgresIssuerStore(pool: pg.Pool, { slotsPerIssuer, breaker }: IssuerLimits): IssuerStore {
  // a background refresh waits for nobody, so one slot is always left for those who do; but one must do for all if need be
  const lowest = (from: number) => Math.min(from, slotsPerIssuer - 1)

  const takeSlots: IssuerStore['takeSlots'] = async ({ issuer, holder, from, most }, holdMs) => {
    const values = [issuer, lowest(from), slotsPerIssuer, most, breaker.threshold, holder, holdMs]
    const { rows } = await pool.query<Awaited<ReturnType<IssuerStore['takeSlots']>>>({ ...take, values })
    if (rows[0] !== undefined && (rows[0].slots > 0 || known.has(issuer))) return rows[0]
    await addSlots(issuer)
    return takeSlots({ issuer, holder, from, most }, holdMs)
  }

  /** Issuers whose slots this process has seen to. */
  const known = new Set<string>()

  async function addSlots(issuer: string): Promise<void> {
    await pool.query(
      `WITH made AS (INSERT INTO issuers (issuer) VALUES ($1) ON CONFLICT DO NOTHING)
       INSERT INTO issuer_slots (issuer, slot) SELECT $1, generate_series(0, $2 - 1) ON CONFLICT DO NOTHING`,
      [issuer, slotsPerIssuer],
    )
    known.add(issuer)
  }

  return {
    takeSlots,

    async renewSlots(holds, holdMs) {
      const values = [holds.map(({ issuer }) => issuer), holds.map(({ holder }) => holder), holdMs]
      return (await pool.query<{ holder: string; failures: number }>({ ...renew, values })).rows
    },

    async releaseSlots({ issuer, holder }) {
      await pool.query({ ...release, values: [issuer, holder] })
    },

    async recordFailure(issuer, spread) {
      const { threshold, firstPauseMs, maxPauseMs } = breaker
      const values = [issuer, threshold, firstPauseMs, maxPauseMs, spread]
      const { rows } = await pool.query<{ failures: number; pausedMs: number }>({ ...fail, values })
      return rows[0] ?? { failures: 1, pausedMs: 0 }
    },

    async recordSuccess(issuer) {
      await pool.query({ ...succeed, values: [issuer] })
    },

    async pause(issuer, ms) {
      await pool.query({ ...pause, values: [issuer, ms] })
    },

    countRejection: (issuer, limits) => countRejection(pool, issuer, limits),
  }
}
