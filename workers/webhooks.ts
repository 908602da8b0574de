import type { Changes } from '../src/kernel/changes.ts'
import type { Clock } from '../src/kernel/clock.ts'
import type { Logger } from '../src/log/logger.ts'
import { webhookJob } from '../src/queue/jobs.ts'
import type { QueueBackend } from '../src/queue/queue-backend.ts'
import { createWebhookQueue } from '../src/queue/webhook-queue.ts'
import type { DeliverWebhook } from '../src/webhooks/deliver-webhook.ts'
import type { WebhookStore } from '../src/webhooks/store.ts'

type Deps = {
  readonly backend: QueueBackend
  readonly webhooks: Pick<WebhookStore, 'listDue'>
  readonly deliverWebhook: DeliverWebhook
  readonly changes: Changes
  readonly clock: Clock
  readonly log: Logger
  /** How often PostgreSQL is asked what is due, besides being told. */
  readonly intervalMs: number
}

const concurrency = 20
const batchSize = 500

/**
 * Sends webhooks. PostgreSQL says which have something to send, at its word (`Changes`) and at intervals; the queue spreads
 * them over the workers, one job for each webhook, so that a slow endpoint keeps nobody waiting but itself.
 */
export function startWebhookWorker({ backend, webhooks, deliverWebhook, changes, clock, log, intervalMs }: Deps) {
  const queue = createWebhookQueue(backend, log)
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  let isWanted = false
  let sweeping: Promise<void> | undefined

  async function sweep(): Promise<void> {
    do {
      isWanted = false
      try {
        await queue.add(await webhooks.listDue(clock.now(), batchSize))
      } catch (err) {
        log.warn({ err }, 'webhooks cannot be looked up')
      }
    } while (isWanted && !isStopping)
  }

  /** Looks now, or once more where it is looking already. */
  function wake(): void {
    isWanted = true
    if (isStopping) return
    sweeping ??= sweep().finally(() => {
      sweeping = undefined
      clearTimeout(timer)
      if (!isStopping) timer = setTimeout(wake, intervalMs)
    })
  }

  const worker = backend.openWorker(
    webhookJob.queue,
    (data) => {
      const { tenantId, webhookId } = webhookJob.schema.parse(data)
      return deliverWebhook({ tenantId, id: webhookId })
    },
    { concurrency },
  )
  worker.on('failed', (job, err) => log.error({ err, jobId: job?.id }, 'webhook job failed'))
  worker.on('error', (err) => log.warn({ err }, 'job queue is out of reach'))
  // what became due while the job was there was not given one of its own
  worker.on('completed', wake)
  const unsubscribe = changes.subscribe({
    onChange: ({ kind }) => {
      if (kind === 'webhook') wake()
    },
    onLive: wake,
    onLost: () => {},
  })
  wake()

  return {
    /** How many jobs wait or run. */
    countJobs: () => queue.count(),
    async close(): Promise<void> {
      isStopping = true
      unsubscribe()
      clearTimeout(timer)
      await sweeping
      await worker.close()
      await queue.close()
    },
  }
}
