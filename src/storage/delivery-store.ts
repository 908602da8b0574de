import type { Delivery } from '../webhooks/delivery.ts'
import type { MessageSource } from '../webhooks/message.ts'
import type { DeliveryStore, WebhookName } from '../webhooks/store.ts'
import { toEvent } from './event-store.ts'
import type { WebhookDelivery as DeliveryRow } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'

/** The columns that are a closed list in the domain are plain text in the table; this store and a trigger write them. */
const toDelivery = ({ tenantId: _, ...row }: DeliveryRow) => row as Delivery

const afresh = { status: 'pending', attempts: 0 } as const
/** So much is sent again at one request. */
const maxReplayed = 10_000

/** Has the workers look at once, as `publish_event` does for what it writes. */
async function announce(transaction: Transaction, { tenantId }: WebhookName): Promise<void> {
  await transaction.$executeRaw`SELECT pg_notify('patchbay_changes', ${`webhook:${tenantId}`})`
}

/** Deliveries in PostgreSQL. */
export function createPrismaDeliveryStore(database: Database): DeliveryStore {
  /** What the deliveries tell of, by the event's id. */
  async function readSources(tenantId: string, eventIds: string[]): Promise<Map<string, MessageSource>> {
    const events = await database.event.findMany({ where: { tenantId, id: { in: eventIds } } })
    const [connectors, connections] = await Promise.all([
      database.connector.findMany({
        where: { tenantId, id: { in: events.map(({ connectorId }) => connectorId) } },
        select: { id: true, label: true, presetId: true, metadata: true, credentialScope: true },
      }),
      database.connection.findMany({
        where: { tenantId, id: { in: events.flatMap(({ connectionId }) => connectionId ?? []) } },
        select: { id: true, scope: true, subjectId: true },
      }),
    ])
    const byId = <T extends { id: string }>(rows: T[]) => new Map(rows.map((row) => [row.id, row]))
    const connectorById = byId(connectors)
    const connectionById = byId(connections)
    return new Map(
      events.map((row) => [
        row.id,
        {
          event: toEvent(row),
          traceparent: row.traceparent,
          connector: (connectorById.get(row.connectorId) ?? null) as MessageSource['connector'],
          connection: (connectionById.get(row.connectionId ?? '') ?? null) as MessageSource['connection'],
        },
      ]),
    )
  }

  const keyOf = ({ tenantId, id }: WebhookName, eventId: string) => ({ tenantId, webhookId: id, eventId })

  return {
    async claim({ tenantId, id }, now, limit, claimMs) {
      const claimed = await database.$queryRaw<Pick<DeliveryRow, 'eventId'>[]>`WITH due AS (
          SELECT event_id FROM webhook_deliveries
          WHERE webhook_id = ${id}::uuid AND tenant_id = ${tenantId}::uuid AND next_attempt_at <= ${now}::timestamptz
          ORDER BY next_attempt_at, event_id LIMIT ${limit} FOR UPDATE SKIP LOCKED)
        UPDATE webhook_deliveries d
        SET next_attempt_at = ${now}::timestamptz + ${claimMs} * interval '1 millisecond'
        FROM due WHERE d.webhook_id = ${id}::uuid AND d.event_id = due.event_id
        RETURNING d.event_id AS "eventId"`
      if (claimed.length === 0) return []
      const eventIds = claimed.map(({ eventId }) => eventId)
      const [rows, sources] = await Promise.all([
        database.webhookDelivery.findMany({
          where: { tenantId, webhookId: id, eventId: { in: eventIds } },
          orderBy: { eventId: 'asc' },
        }),
        readSources(tenantId, eventIds),
      ])
      return rows.map((row) => ({ delivery: toDelivery(row), source: sources.get(row.eventId) ?? null }))
    },

    async record({ webhookId, eventId, attempts, nextAttemptAt: claimedUntil }, attempt, nextAttemptAt) {
      const { count } = await database.webhookDelivery.updateMany({
        where: { webhookId, eventId, attempts, nextAttemptAt: claimedUntil },
        data: {
          status: attempt.error === null ? 'delivered' : nextAttemptAt === null ? 'failed' : 'pending',
          attempts: attempts + 1,
          nextAttemptAt,
          lastAttemptAt: attempt.at,
          durationMs: attempt.durationMs,
          responseStatus: attempt.responseStatus,
          error: attempt.error,
        },
      })
      return count > 0
    },

    async list({ tenantId, id }, { limit, before, status }) {
      const where = { tenantId, webhookId: id, ...(status === undefined ? {} : { status }) }
      const page = before === undefined ? where : { ...where, eventId: { lt: before } }
      const [rows, totalCount] = await Promise.all([
        database.webhookDelivery.findMany({ where: page, orderBy: { eventId: 'desc' }, take: limit + 1 }),
        database.webhookDelivery.count({ where }),
      ])
      return { items: rows.slice(0, limit).map(toDelivery), totalCount, hasMore: rows.length > limit }
    },

    async addTest(webhook, eventId, now) {
      const data = { ...keyOf(webhook, eventId), type: 'webhook.test', nextAttemptAt: now }
      return database.$transaction(async (transaction) => {
        await announce(transaction, webhook)
        return toDelivery(await transaction.webhookDelivery.create({ data }))
      })
    },

    async replay(webhook, eventId, now) {
      return database.$transaction(async (transaction) => {
        const [row] = await transaction.webhookDelivery.updateManyAndReturn({
          where: keyOf(webhook, eventId),
          data: { ...afresh, nextAttemptAt: now },
        })
        if (row === undefined) return null
        await announce(transaction, webhook)
        return toDelivery(row)
      })
    },

    async replaySince({ tenantId, id }, since, now) {
      return database.$transaction(async (transaction) => {
        await announce(transaction, { tenantId, id })
        const { count: failed } = await transaction.webhookDelivery.updateMany({
          where: { tenantId, webhookId: id, status: 'failed', createdAt: { gte: since } },
          data: { ...afresh, nextAttemptAt: now },
        })
        // of what the trigger publish_event would have written, what is not there
        const missed = await transaction.$executeRaw`INSERT INTO webhook_deliveries
            (webhook_id, event_id, tenant_id, type, next_attempt_at)
          SELECT w.id, e.id, e.tenant_id, e.type, ${now}::timestamptz
          FROM webhooks w JOIN events e ON e.tenant_id = w.tenant_id
            JOIN connectors c ON c.id = e.connector_id AND c.owner_kind = 'tenant'
          WHERE w.id = ${id}::uuid AND w.tenant_id = ${tenantId}::uuid AND e.at >= ${since}::timestamptz
            AND e.type <> 'connector.refreshed' AND (w.event_types = '{}' OR e.type = ANY (w.event_types))
          ORDER BY e.id LIMIT ${maxReplayed}
          ON CONFLICT DO NOTHING`
        return failed + missed
      })
    },
  }
}
