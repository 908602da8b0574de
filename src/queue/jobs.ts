import { z } from 'zod'

/**
 * The jobs that exist: a queue's name and what its jobs carry. Ids and versions only; the worker reads the rest afresh.
 *
 * A job that comes to carry something else gets a queue of another name: while an upgrade is rolled out, workers of two versions
 * take jobs, and each must understand what it takes (REL-20). `refresh` held one connection per job.
 */
export const refreshJob = {
  queue: 'refresh-by-issuer',
  schema: z.strictObject({
    issuer: z.string().min(1).max(2048),
    /** Of the sweep that found them (W3C Trace Context); left out without traces, so that older workers take the job. */
    traceparent: z.string().max(64).optional(),
    references: z.array(z.strictObject({ tenantId: z.uuid(), id: z.uuid(), tokenVersion: z.int().min(0) })).max(1000),
  }),
} as const

export type RefreshJobData = z.infer<typeof refreshJob.schema>

export const webhookJob = {
  queue: 'webhooks',
  schema: z.strictObject({ tenantId: z.uuid(), webhookId: z.uuid() }),
} as const

export type WebhookJobData = z.infer<typeof webhookJob.schema>
