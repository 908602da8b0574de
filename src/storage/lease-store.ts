import type pg from 'pg'
import type { LeasedRow, LeaseReference, LeaseStore } from '../connections/lease-store.ts'
import { changeConnection } from './change-connection.ts'
import { connectionColumns, connectorColumns, registrationColumns, selectList } from './columns.ts'

const free = 'SELECT c.id, c.connector_id, c.registration_id, c.refresh_started_at AS interrupted_at'

/** @param owner and `ms` are the parameters of the lease */
const leaseFree = (owner: string, ms: string) => `UPDATE connections c
    SET lease_owner = ${owner}::uuid, lease_until = now() + ${ms} * interval '1 millisecond', refresh_started_at = now(),
      next_refresh_at = now() + ${ms} * interval '1 millisecond'
    FROM free
    JOIN connectors k ON k.id = free.connector_id
    LEFT JOIN client_registrations r ON r.id = free.registration_id
    WHERE c.id = free.id
    RETURNING free.interrupted_at AS "interruptedAt", ${selectList(connectionColumns, 'c', 'connection.')},
      ${selectList(connectorColumns, 'k', 'connector.')}, ${selectList(registrationColumns, 'r', 'registration.')}`

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

const takeDueWhere = (condition: string) => `WITH free AS MATERIALIZED (
      ${free}
      FROM connections c
      WHERE c.issuer = $1 AND c.next_refresh_at <= $2::timestamptz AND c.is_active
        AND (c.lease_until IS NULL OR c.lease_until < now()) AND ${condition}
      ORDER BY c.next_refresh_at LIMIT $3
      FOR UPDATE OF c SKIP LOCKED)
    ${leaseFree('$4', '$5')}`

const takeDue = { name: 'take-due-leases', text: takeDueWhere('true') }

// they became due when the lease of the dead process ran out, so only the latest minutes of what is due are looked through
const takeCutOff = {
  name: 'take-cut-off-leases',
  text: takeDueWhere("c.refresh_started_at IS NOT NULL AND c.next_refresh_at > $2::timestamptz - interval '2 minutes'"),
}

const renew = {
  name: 'renew-leases',
  text: `UPDATE connections
    SET lease_until = now() + $3 * interval '1 millisecond', next_refresh_at = now() + $3 * interval '1 millisecond'
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
export function createPostgresLeaseStore(pool: pg.Pool): LeaseStore {
  return {
    async takeLeases(references, owner, leaseMs) {
      const column = <Name extends keyof LeaseReference>(name: Name) => references.map((reference) => reference[name])
      const values = [column('id'), column('tenantId'), column('grantEpoch'), column('tokenVersion'), owner, leaseMs]
      const { rows } = await pool.query<Readonly<Record<string, unknown>>>({ ...take, values })
      return rows.map(toLeased)
    },

    async takeDueLeases({ issuer, now, limit }, owner, leaseMs) {
      const values = [issuer, now, limit, owner, leaseMs]
      const { rows } = await pool.query<Readonly<Record<string, unknown>>>({ ...takeDue, values })
      return rows.map(toLeased)
    },

    async takeCutOffLeases({ issuer, now, limit }, owner, leaseMs) {
      const values = [issuer, now, limit, owner, leaseMs]
      const { rows } = await pool.query<Readonly<Record<string, unknown>>>({ ...takeCutOff, values })
      return rows.map(toLeased)
    },

    async renewLeases(ids, owner, leaseMs) {
      const { rows } = await pool.query<{ id: string }>({ ...renew, values: [ids, owner, leaseMs] })
      return rows.map(({ id }) => id)
    },

    settle(seen, owner, { changes, event, refreshStartedAt, isHolderOnly }) {
      return changeConnection(pool, seen, {
        changes: { ...changes, refreshStartedAt },
        event,
        isLeaseReleased: true,
        ...(isHolderOnly ? { heldBy: owner } : {}),
      })
    },

    async giveBack({ connection, interruptedAt }, owner, dueAt) {
      const values = [connection.id, owner, interruptedAt, connection.tokenVersion, dueAt ?? null]
      await pool.query({ ...giveBack, values })
    },
  }
}

/** This store and its neighbours are the only writers of these columns, so what they hold is what the types say. */
function toLeased(row: Readonly<Record<string, unknown>>): LeasedRow {
  const connection = part<LeasedRow['connection'] & { refreshStartedAt: Date }>(row, 'connection.', connectionColumns)
  return {
    connection,
    connector: part<LeasedRow['connector']>(row, 'connector.', connectorColumns),
    registration:
      row['registration.id'] === null
        ? null
        : part<NonNullable<LeasedRow['registration']>>(row, 'registration.', registrationColumns),
    startedAt: connection.refreshStartedAt,
    interruptedAt: row.interruptedAt as Date | null,
  }
}

function part<Part>(row: Readonly<Record<string, unknown>>, prefix: string, columns: object): Part {
  return Object.fromEntries(Object.keys(columns).map((property) => [property, row[prefix + property]])) as Part
}
