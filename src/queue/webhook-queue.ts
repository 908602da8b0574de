import type { Logger } from '../log/logger.ts'
import type { WebhookName } from '../webhooks/store.ts'
import { countJobs } from './count-jobs.ts'
import { type WebhookJobData, webhookJob } from './jobs.ts'
import type { QueueBackend } from './queue-backend.ts'

export type WebhookQueue = {
  /** Hands webhooks with something to send to whichever worker is free. One job for each at a time. */
  add(due: readonly WebhookName[]): Promise<void>
  /** How many jobs wait or run. */
  count(): Promise<number>
  close(): Promise<void>
}

/** The producer of webhook jobs. */
export function createWebhookQueue(backend: QueueBackend, log: Logger): WebhookQueue {
  const queue = backend.openQueue(webhookJob.queue)
  queue.on('error', (err: Error) => log.warn({ err }, 'job queue is out of reach'))
  return {
    async add(due) {
      if (due.length === 0) return
      await queue.addBulk(
        due.map(({ id, tenantId }) => ({
          name: webhookJob.queue,
          data: { tenantId, webhookId: id } satisfies WebhookJobData,
          opts: { jobId: `webhook-${id}` },
        })),
      )
    },
    count: () => countJobs(queue),
    close: () => queue.close(),
  }
}
