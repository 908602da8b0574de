import type { Event, EventType, NewEvent } from '../audit/event.ts'
import type { EventStore } from '../audit/store.ts'
import { newId } from '../kernel/id.ts'
import type { Event as EventRow } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'

type Subject = { readonly tenantId: string; readonly connectorId: string; readonly connectionId?: string }

/** What an event says of itself, for statements that make a change and tell of it at once: column and type. */
export const eventColumns = [
  ['id', 'uuid'],
  ['type', 'text'],
  ['code', 'text'],
  ['class', 'text'],
  ['detail', 'text'],
  ['actor_id', 'uuid'],
] as const

/** The parameters of these columns. */
export function eventValues(id: string, event: NewEvent): (string | null)[] {
  return [id, event.type, event.code ?? null, event.class ?? null, event.detail ?? null, event.actorId ?? null]
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
    },
  })
}

/** The columns that are a closed list in the domain are plain text in the table. */
export const toEvent = ({ xid: _, ...row }: EventRow): Event => ({ ...row, type: row.type as EventType })

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
  }
}
