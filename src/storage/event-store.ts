import type { Event, EventType, NewEvent } from '../audit/event.ts'
import type { EventStore, FollowedEvent } from '../audit/store.ts'
import { newId } from '../kernel/id.ts'
import { currentTrace, formatTraceparent } from '../kernel/trace-context.ts'
import { type Event as EventRow, Prisma } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'

/**
 * The oldest transaction that has not ended: what an older one wrote is visible, or never will be. Of the snapshot of the very
 * statement that it stands in (https://www.postgresql.org/docs/current/functions-info.html, pg_snapshot_xmin).
 */
const oldestRunning = Prisma.sql`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
/** After every other id of the same transaction. */
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

type Subject = { readonly tenantId: string; readonly connectorId: string; readonly connectionId?: string }

/** What an event says of itself, for statements that make a change and tell of it at once: column and type. */
export const eventColumns = [
  ['id', 'uuid'],
  ['type', 'text'],
  ['code', 'text'],
  ['class', 'text'],
  ['detail', 'text'],
  ['actor_id', 'uuid'],
  ['traceparent', 'text'],
] as const

/** What is told of an event later, by others, belongs to the trace of what caused it. */
function ownTraceparent(): string | null {
  const trace = currentTrace()
  return trace === null ? null : formatTraceparent(trace)
}

/** The parameters of these columns. */
export function eventValues(id: string, event: NewEvent): (string | null)[] {
  return [
    id,
    event.type,
    event.code ?? null,
    event.class ?? null,
    event.detail ?? null,
    event.actorId ?? null,
    ownTraceparent(),
  ]
}

/** Writes an event in the transaction of the change that it tells of. */
export async function writeEvent(transaction: Transaction, subject: Subject, event: NewEvent): Promise<void> {
  await transaction.event.create({
    data: {
      id: newId(),
      tenantId: subject.tenantId,
      connectorId: subject.connectorId,
      connectionId: subject.connectionId ?? null,
      type: event.type,
      code: event.code ?? null,
      class: event.class ?? null,
      detail: event.detail ?? null,
      actorId: event.actorId ?? null,
      traceparent: ownTraceparent(),
    },
  })
}

/** The columns that are a closed list in the domain are plain text in the table. */
export const toEvent = ({
  xid: _,
  traceparent: __,
  ...row
}: Omit<EventRow, 'traceparent'> & Partial<EventRow>): Event => ({
  ...row,
  type: row.type as EventType,
})

type FollowedRow = Omit<EventRow, 'type' | 'traceparent'> & {
  readonly type: EventType
  readonly isSettled: boolean
  readonly ownerKind: string | null
  readonly ownerId: string | null
  readonly scope: string | null
  readonly subjectId: string | null
}

function toFollowed({ isSettled: _, ownerKind, ownerId, scope, subjectId, ...row }: FollowedRow): FollowedEvent {
  const { xid, id, tenantId } = row
  return {
    event: toEvent(row),
    place: { xid, id },
    connector: ownerKind === null || ownerId === null ? null : { tenantId, ownerKind, ownerId },
    connection: scope === null || subjectId === null ? null : { scope, subjectId },
  }
}

/** Events in PostgreSQL. */
export function createPrismaEventStore(database: Database): EventStore {
  return {
    async list(tenantId, connectorId, connectionIds, { limit, before }) {
      const where = {
        tenantId,
        connectorId,
        OR: [{ connectionId: null }, { connectionId: { in: [...connectionIds] } }],
      }
      const page = before === undefined ? where : { ...where, id: { lt: before } }
      const [rows, totalCount] = await Promise.all([
        database.event.findMany({ where: page, orderBy: { id: 'desc' }, take: limit + 1 }),
        database.event.count({ where }),
      ])
      return { items: rows.slice(0, limit).map(toEvent), totalCount, hasMore: rows.length > limit }
    },

    async findEnd() {
      // the last place before the oldest transaction that is still under way
      const [row] = await database.$queryRaw<{ xid: bigint }[]>`SELECT ${oldestRunning} - 1 AS xid`
      return { xid: row?.xid ?? 0n, id: lastId }
    },

    async listAfter(tenantId, { xid, id }, limit) {
      const rows = await database.$queryRaw<FollowedRow[]>`SELECT
          e.id, e.tenant_id AS "tenantId", e.connector_id AS "connectorId", e.connection_id AS "connectionId",
          e.type, e.code, e.class, e.detail, e.actor_id AS "actorId", e.at, e.xid, e.xid < ${oldestRunning} AS "isSettled",
          c.owner_kind AS "ownerKind", c.owner_id AS "ownerId", k.scope, k.subject_id AS "subjectId"
        FROM events e
          LEFT JOIN connectors c ON c.id = e.connector_id
          LEFT JOIN connections k ON k.id = e.connection_id
        WHERE e.tenant_id = ${tenantId}::uuid AND e.xid >= ${xid} AND (e.xid > ${xid} OR e.id > ${id}::uuid)
        ORDER BY e.xid, e.id LIMIT ${limit}`
      const settled = rows.filter(({ isSettled }) => isSettled)
      return { items: settled.map(toFollowed), isHeldBack: settled.length < rows.length }
    },
  }
}
