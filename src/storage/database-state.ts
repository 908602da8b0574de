import type pg from 'pg'
import { isUnavailable } from './unavailability.ts'

export type DatabaseState = {
  /** Whether statements are answered and may write. */
  availability(): Promise<'writable' | 'read_only' | 'unreachable'>
  /**
   * Which of these migrations the database does not have.
   *
   * @param names folders of `prisma/migrations`
   * @throws Error when the database cannot be asked
   */
  missingMigrations(names: readonly string[]): Promise<readonly string[]>
  /**
   * How long ago, in seconds, the most overdue connection should have been renewed; 0 when none is overdue.
   *
   * @throws Error when the database cannot be asked
   */
  refreshLagSeconds(): Promise<number>
  /**
   * How many issuers are left alone: `breaker`, they failed again and again; `asked_to_wait`, they said so; `held`, they reject
   * so many grants at once that none is given up.
   *
   * @throws Error when the database cannot be asked
   */
  pausedIssuers(): Promise<Readonly<Record<'breaker' | 'asked_to_wait' | 'held', number>>>
}

/** What readiness and metrics ask the database about itself. Each is one short statement. */
export function createDatabaseState(pool: pg.Pool): DatabaseState {
  return {
    async availability() {
      try {
        // 'on' on a standby as well
        const { rows } = await pool.query<{ isReadOnly: boolean }>(
          `SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
        )
        return rows[0]?.isReadOnly === false ? 'writable' : 'read_only'
      } catch (error) {
        if (isUnavailable(error)) return 'unreachable'
        throw error
      }
    },

    async missingMigrations(names) {
      const { rows } = await pool.query<{ name: string }>(
        'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
      )
      const applied = new Set(rows.map(({ name }) => name))
      return names.filter((name) => !applied.has(name))
    },

    async refreshLagSeconds() {
      const { rows } = await pool.query<{ seconds: number | null }>(
        `SELECT extract(epoch FROM now() - min(next_refresh_at))::float8 AS seconds FROM connections
          WHERE is_active AND next_refresh_at < now()`,
      )
      return Math.max(0, rows[0]?.seconds ?? 0)
    },

    async pausedIssuers() {
      const { rows } = await pool.query<Record<'breaker' | 'asked_to_wait' | 'held', number>>(
        `SELECT count(*) FILTER (WHERE paused_until > now() AND trips > 0)::int AS breaker,
            count(*) FILTER (WHERE paused_until > now() AND trips = 0)::int AS asked_to_wait,
            count(*) FILTER (WHERE held_until > now())::int AS held
          FROM issuers`,
      )
      return rows[0] ?? { breaker: 0, asked_to_wait: 0, held: 0 }
    },
  }
}
