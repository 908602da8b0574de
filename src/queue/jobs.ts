import { z } from 'zod'

/** The jobs that exist: a queue's name and what its jobs carry. Ids and versions only; the worker reads the rest afresh. */
export const refreshJob = {
  queue: 'refresh',
  schema: z.strictObject({
    issuer: z.string().min(1).max(2048),
    references: z.array(z.strictObject({ tenantId: z.uuid(), id: z.uuid(), tokenVersion: z.int().min(0) })).max(1000),
  }),
} as const

export type RefreshJobData = z.infer<typeof refreshJob.schema>

export const webhookJob = {
  queue: 'webhooks',
  schema: z.strictObject({ tenantId: z.uuid(), webhookId: z.uuid() }),
} as const

export type WebhookJobData = z.infer<typeof webhookJob.schema>
