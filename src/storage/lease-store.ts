import type pg from 'pg'
import type { LeasedRow, LeaseReference, LeaseStore } from '../connections/lease-store.ts'
import { changeSeen } from './change-connection.ts'
import { connectionColumns, connectorColumns, registrationColumns } from './columns.ts'
import type { LateAnnouncements } from './late-announcements.ts'

/** Columns that the domain does not know. */
const unread = new Set(['isActive', 'leaseOwner', 'leaseUntil', 'sealedExtraHeaders', 'createdAt'])

/** Of a leased connection, what a token request and its result need to know: properties by the alias of their table. */
const wanted = {
  c: Object.keys(connectionColumns).filter((name) => !unread.has(name)) as (keyof typeof connectionColumns)[],
  k: [
    'id',
    'tenantId',
    'presetId',
    'clientId',
    'clientIssuer',
    'sealedClientSecret',
    'sealedPrivateKey',
    'keyId',
    'signingAlgorithm',
  ] as const satisfies (keyof typeof connectorColumns)[],
  r: ['id', 'tenantId', 'sealedClientSecret'] as const satisfies (keyof typeof registrationColumns)[],
}
const selected = [
  ...wanted.c.map((name) => `c.${connectionColumns[name][0]}`),
  ...wanted.k.map((name) => `k.${connectorColumns[name][0]}`),
  ...wanted.r.map((name) => `r.${registrationColumns[name][0]}`),
]

const free = 'SELECT c.id, c.connector_id, c.registration_id, c.refresh_started_at AS interrupted_at'

/**
 * What is due stays where it stands in the line: no index changes (PostgreSQL's heap-only update), and when its process dies it
 * is the first again. What is not due yet comes due when the lease runs out.
 *
 * @param owner and `ms` are the parameters of the lease
 */
const leaseFree = (owner: string, ms: string) => `UPDATE connections c
    SET lease_owner = ${owner}::uuid, lease_until = now() + ${ms} * interval '1 millisecond', refresh_started_at = now(),
      next_refresh_at = least(c.next_refresh_at, now() + ${ms} * interval '1 millisecond')
    FROM free
    JOIN connectors k ON k.id = free.connector_id
    LEFT JOIN client_registrations r ON r.id = free.registration_id
    WHERE c.id = free.id
    RETURNING free.interrupted_at, ${selected.join(', ')}`

// The rows are locked in order of their ids, so that two batches never wait for each other in a circle.
const take = {
  name: 'take-leases',
  text: `WITH free AS (
      ${free}
      FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[]) AS wanted (id, tenant_id, epoch, version)
      JOIN connections c ON c.id = wanted.id AND c.tenant_id = wanted.tenant_id
      WHERE c.grant_epoch = coalesce(wanted.epoch, c.grant_epoch) AND c.token_version = wanted.version
        AND (c.lease_until IS NULL OR c.lease_until < now())
      ORDER BY c.id
      FOR UPDATE OF c)
    ${leaseFree('$5', '$6')}`,
}

const isFree = '(c.lease_until IS NULL OR c.lease_until < now())'
const isDue = 'c.issuer = $1 AND c.next_refresh_at <= $2::timestamptz AND c.is_active'
const firstOfThem = 'ORDER BY c.next_refresh_at LIMIT $3 FOR UPDATE OF c SKIP LOCKED'

const takeDue = {
  name: 'take-due-leases',
  text: `WITH free AS MATERIALIZED (${free} FROM connections c WHERE ${isDue} AND ${isFree} ${firstOfThem})
    ${leaseFree('$4', '$5')}`,
}

// A dead process leaves what it leased at the front of the line; or, where it was not due then, among what came due since its
// lease ran out. So nobody needs to look through all that is due.
const isCutOff = `c.refresh_started_at IS NOT NULL AND ${isFree}`
const takeCutOff = {
  name: 'take-cut-off-leases',
  text: `WITH front AS MATERIALIZED (SELECT c.id, c.refresh_started_at, c.lease_until FROM connections c WHERE ${isDue} ORDER BY c.next_refresh_at LIMIT 200),
    cut_off AS MATERIALIZED (
      SELECT c.id FROM front c WHERE ${isCutOff}
      UNION SELECT c.id FROM connections c
        WHERE ${isDue} AND c.next_refresh_at > $2::timestamptz - interval '2 minutes' AND ${isCutOff}),
    free AS MATERIALIZED (
      ${free} FROM connections c WHERE c.id IN (SELECT id FROM cut_off) AND ${isDue} AND ${isCutOff} ${firstOfThem})
    ${leaseFree('$4', '$5')}`,
}

const renew = {
  name: 'renew-leases',
  text: `UPDATE connections
    SET lease_until = now() + $3 * interval '1 millisecond'
    WHERE id = ANY ($1::uuid[]) AND lease_owner = $2::uuid AND lease_until >= now()
    RETURNING id`,
}

const giveBack = {
  name: 'give-lease-back',
  text: `UPDATE connections
    SET lease_owner = NULL, lease_until = NULL, refresh_started_at = $3::timestamptz,
      next_refresh_at = coalesce($5::timestamptz, now())
    WHERE id = $1::uuid AND lease_owner = $2::uuid AND token_version = $4`,
}

/** Leases in PostgreSQL. Written by hand: every refresh of every token goes through here. */
export function createPostgresLeaseStore(pool: pg.Pool, announcements: Pick<LateAnnouncements, 'renewed'>): LeaseStore {
  /** As lists, not objects: names that are known make most of reading a wide row. */
  async function lease(statement: { name: string; text: string }, values: unknown[]): Promise<LeasedRow[]> {
    const { rows } = await pool.query<unknown[]>({ ...statement, values, rowMode: 'array' })
    return rows.map(toLeased)
  }

  return {
    async takeLeases(references, owner, leaseMs) {
      const column = <Name extends keyof LeaseReference>(name: Name) => references.map((reference) => reference[name])
      const values = [column('id'), column('tenantId'), column('grantEpoch'), column('tokenVersion'), owner, leaseMs]
      return lease(take, values)
    },

    async takeDueLeases({ issuer, now, limit }, owner, leaseMs) {
      const values = [issuer, now, limit, owner, leaseMs]
      return lease(takeDue, values)
    },

    async takeCutOffLeases({ issuer, now, limit }, owner, leaseMs) {
      const values = [issuer, now, limit, owner, leaseMs]
      return lease(takeCutOff, values)
    },

    async renewLeases(ids, owner, leaseMs) {
      const { rows } = await pool.query<{ id: string }>({ ...renew, values: [ids, owner, leaseMs] })
      return rows.map(({ id }) => id)
    },

    async settle(seen, owner, { changes, event, refreshStartedAt, isHolderOnly }) {
      const isRenewal = changes.tokenVersion !== undefined && changes.grantEpoch === undefined
      const settled = await changeSeen(pool, seen, {
        changes: { ...changes, refreshStartedAt },
        event,
        isLeaseReleased: true,
        isAnnouncedLater: isRenewal,
        ...(isHolderOnly ? { heldBy: owner } : {}),
      })
      if (isRenewal && settled !== null) announcements.renewed(settled)
      return settled
    },

    async giveBack({ connection, interruptedAt }, owner, dueAt) {
      const values = [connection.id, owner, interruptedAt, connection.tokenVersion, dueAt ?? null]
      await pool.query({ ...giveBack, values })
    },
  }
}

/** This store and its neighbours are the only writers of these columns, so what they hold is what the types say. */
function toLeased(row: readonly unknown[]): LeasedRow {
  let at = 1
  const read = (names: readonly string[]): Record<string, unknown> => {
    const part: Record<string, unknown> = {}
    for (const name of names) {
      part[name] = row[at]
      at += 1
    }
    return part
  }
  const connection = read(wanted.c) as LeasedRow['connection'] & { refreshStartedAt: Date }
  const connector = read(wanted.k) as LeasedRow['connector']
  const registration = read(wanted.r) as NonNullable<LeasedRow['registration']>
  return {
    connection,
    connector,
    registration: registration.id === null ? null : registration,
    startedAt: connection.refreshStartedAt,
    interruptedAt: row[0] as Date | null,
  }
}
