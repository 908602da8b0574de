import { z } from 'zod'

/** The jobs that exist: a queue's name and what its jobs carry. Ids and versions only; the worker reads the rest afresh. */
export const refreshJob = {
  queue: 'refresh',
  schema: z.strictObject({ tenantId: z.uuid(), connectionId: z.uuid(), tokenVersion: z.int().min(0) }),
} as const

export type RefreshJobData = z.infer<typeof refreshJob.schema>

export const webhookJob = {
  queue: 'webhooks',
  schema: z.strictObject({ tenantId: z.uuid(), webhookId: z.uuid() }),
} as const

export type WebhookJobData = z.infer<typeof webhookJob.schema>
