import type { WebhookName, WebhookStore } from '../webhooks/store.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import type { Webhook as WebhookRow } from './generated/client.ts'
import type { Database } from './prisma-client.ts'

/** The columns that are a closed list in the domain are plain text in the table; this store is their only writer. */
const toWebhook = ({ lastFailureAt: _, ...row }: WebhookRow) => row as Webhook

const copied = <T extends { readonly eventTypes?: readonly string[] }>({ eventTypes, ...rest }: T) => ({
  ...rest,
  ...(eventTypes === undefined ? {} : { eventTypes: [...eventTypes] }),
})

/** Webhooks in PostgreSQL. */
export function createPrismaWebhookStore(database: Database): WebhookStore {
  return {
    async list(tenantId) {
      return (await database.webhook.findMany({ where: { tenantId }, orderBy: { id: 'desc' } })).map(toWebhook)
    },

    async find(tenantId, id) {
      const row = await database.webhook.findFirst({ where: { tenantId, id } })
      return row === null ? null : toWebhook(row)
    },

    async create(webhook, limit) {
      return database.$transaction(async (transaction) => {
        // one at a time in a tenant, so that the count still holds; whoever refers to the tenant does not wait
        await transaction.$queryRaw`SELECT id FROM tenants WHERE id = ${webhook.tenantId}::uuid FOR NO KEY UPDATE`
        const count = await transaction.webhook.count({ where: { tenantId: webhook.tenantId } })
        if (count >= limit) return null
        const { eventTypes, ...rest } = webhook
        return toWebhook(await transaction.webhook.create({ data: { ...rest, eventTypes: [...eventTypes] } }))
      })
    },

    async update(tenantId, id, changes, seen) {
      const [row] = await database.webhook.updateManyAndReturn({
        where: { tenantId, id, ...(seen === undefined ? {} : { sealedSecret: seen.sealedSecret }) },
        data: copied(changes),
      })
      return row === undefined ? null : toWebhook(row)
    },

    async delete(tenantId, id) {
      return database.$transaction(async (transaction) => {
        const { count } = await transaction.webhook.deleteMany({ where: { tenantId, id } })
        if (count > 0) await transaction.webhookDelivery.deleteMany({ where: { tenantId, webhookId: id } })
        return count > 0
      })
    },

    async listDue(now, limit) {
      return database.$queryRaw<WebhookName[]>`SELECT tenant_id AS "tenantId", id FROM webhooks w
        WHERE enabled AND EXISTS (
          SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.next_attempt_at <= ${now}::timestamptz)
        LIMIT ${limit}`
    },

    async noteSuccess({ tenantId, id }) {
      await database.webhook.updateMany({
        where: { tenantId, id, failingSince: { not: null } },
        data: { failingSince: null },
      })
    },

    async noteFailure({ tenantId, id }, now, pauseMs) {
      const [row] = await database.$queryRaw<{ since: Date }[]>`UPDATE webhooks SET
          failing_since = CASE WHEN last_failure_at >= ${now}::timestamptz - ${pauseMs} * interval '1 millisecond'
            THEN coalesce(failing_since, ${now}::timestamptz) ELSE ${now}::timestamptz END,
          last_failure_at = ${now}::timestamptz
        WHERE tenant_id = ${tenantId}::uuid AND id = ${id}::uuid
        RETURNING failing_since AS since`
      return row?.since ?? null
    },

    async disable({ tenantId, id }, disabledCode) {
      const { count } = await database.webhook.updateMany({
        where: { tenantId, id, enabled: true },
        data: { enabled: false, disabledCode },
      })
      return count > 0
    },
  }
}
