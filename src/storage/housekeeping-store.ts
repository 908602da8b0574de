import type pg from 'pg'
import type { ChoreName, HousekeepingStore } from '../audit/keep-house.ts'

type Chore = { readonly table: string; readonly key: string; readonly isOver: string }

/** `$1` is the time before which something must have been over. */
const chores: Readonly<Record<ChoreName, Chore>> = {
  tickets: { table: 'tickets', key: 'id', isOver: 'expires_at < $1' },
  flows: { table: 'flows', key: 'id', isOver: 'expires_at < $1' },
  connect_tokens: { table: 'connect_tokens', key: 'id', isOver: 'expires_at < $1' },
  person_sessions: { table: 'person_sessions', key: 'id', isOver: 'expires_at < $1' },
  rate_counts: { table: 'rate_counts', key: '(key, window_at)', isOver: 'expires_at < $1' },
  oauth_artifacts: { table: 'oauth_artifacts', key: 'key_hash', isOver: 'expires_at < $1' },
  oauth_clients: {
    table: 'oauth_clients',
    key: 'client_id',
    isOver: `expires_at < $1 AND NOT EXISTS (
      SELECT 1 FROM grants WHERE grants.client_id = oauth_clients.client_id AND revoked_at IS NULL AND grants.expires_at > $1)`,
  },
  grants: { table: 'grants', key: 'id', isOver: 'LEAST(expires_at, revoked_at) < $1' },
  webhook_deliveries: {
    table: 'webhook_deliveries',
    key: '(webhook_id, event_id)',
    isOver: 'next_attempt_at IS NULL AND created_at < $1',
  },
  events: { table: 'events', key: 'id', isOver: 'at < $1' },
  call_counts: {
    table: 'call_counts',
    key: '(tenant_id, hour_at, connector_id, principal_id, method, tool, client, outcome)',
    isOver: 'hour_at < $1',
  },
  audit_entries: { table: 'audit_entries', key: 'id', isOver: 'at < $1' },
  signing_keys: keysThatSignedBefore('signing_keys'),
  client_keys: keysThatSignedBefore('client_keys'),
}

function keysThatSignedBefore(table: 'signing_keys' | 'client_keys'): Chore {
  return {
    table,
    key: 'kid',
    isOver: `EXISTS (SELECT 1 FROM ${table} AS later WHERE later.signs_from > ${table}.signs_from AND later.signs_from < $1)`,
  }
}

/** Deletes what is over, a bounded number of rows per statement. */
export function createPostgresHousekeepingStore(pool: pg.Pool): HousekeepingStore {
  return {
    async remove(chore, before, limit) {
      const { table, key, isOver } = chores[chore]
      const columns = key.replace(/[()]/g, '')
      const { rowCount } = await pool.query(
        `DELETE FROM ${table} WHERE ${key} IN (
           SELECT ${columns} FROM ${table} WHERE ${isOver} LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [before, limit],
      )
      return rowCount ?? 0
    },
  }
}
