import type { MigrationStep } from './migrate.ts'

/** Of one tenant each, by the index: the table may be large. */
const fromElsewhere = `SELECT 1 FROM tenants t WHERE EXISTS (
  SELECT 1 FROM events e WHERE e.tenant_id = t.id AND e.xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)`

/**
 * Events that were restored from the dump of another cluster, as a step of `migrate`. Their transactions have numbers that
 * this cluster has yet to come to, so nothing would ever seem to come after them. They all get 0, as of before all others.
 */
export const restoredEvents: MigrationStep = {
  name: 'restored-events',
  async isPending(client) {
    const { rows } = await client.query<{ found: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = 'events' AND column_name = 'xid') AS found`,
    )
    // a database without that column has no events that follow one another
    return rows[0]?.found === true && (await client.query(`${fromElsewhere} LIMIT 1`)).rows.length > 0
  },
  async apply(client) {
    await client.query('UPDATE events SET xid = 0 WHERE xid <> 0')
  },
}
