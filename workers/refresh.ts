import type { RefreshDue } from '../src/connections/refresh-due.ts'
import type { Logger } from '../src/log/logger.ts'
import { refreshJob } from '../src/queue/jobs.ts'
import type { QueueBackend } from '../src/queue/queue-backend.ts'

type Deps = { readonly backend: QueueBackend; readonly refreshDue: RefreshDue; readonly log: Logger }

const concurrency = 50

/**
 * Runs refresh jobs. A job says which connection and version; the use case reads the rest. Whatever becomes of it is written
 * to PostgreSQL, which also says when to try again, so no job is ever retried by the queue.
 */
export function startRefreshWorker({ backend, refreshDue, log }: Deps): { close(): Promise<void> } {
  const worker = backend.openWorker(
    refreshJob.queue,
    async (data) => {
      const job = refreshJob.schema.parse(data)
      const result = await refreshDue(job)
      log.info({ connectionId: job.connectionId, tokenVersion: job.tokenVersion, result }, 'refresh job done')
      return result
    },
    { concurrency },
  )
  worker.on('failed', (job, err) => log.error({ err, jobId: job?.id }, 'refresh job failed'))
  worker.on('error', (err) => log.warn({ err }, 'job queue is out of reach'))
  return { close: () => worker.close() }
}
