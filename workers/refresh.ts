import type { RunRefreshes } from '../src/connections/run-refreshes.ts'
import { parseTraceparent } from '../src/kernel/trace-context.ts'
import { type Tracing, traced } from '../src/kernel/tracing.ts'
import type { Logger } from '../src/log/logger.ts'
import { refreshJob } from '../src/queue/jobs.ts'
import type { QueueBackend } from '../src/queue/queue-backend.ts'

type Deps = {
  readonly backend: QueueBackend
  readonly runRefreshes: RunRefreshes
  readonly log: Logger
  readonly tracing: Tracing
  /** Jobs at once. Each asks one issuer; one that hangs must not keep the others waiting. */
  readonly concurrency: number
  /** Told when a run ended with more to do. */
  readonly onMore: () => void
}

/**
 * Runs refresh jobs. A job says which issuer and connections; the use case reads the rest. Whatever becomes of it is written
 * to PostgreSQL, which also says when to try again, so no job is ever retried by the queue.
 */
export function startRefreshWorker({ backend, runRefreshes, log, tracing, concurrency, onMore }: Deps): {
  close(): Promise<void>
} {
  let isStopping = false
  const worker = backend.openWorker(
    refreshJob.queue,
    async (data) => {
      const job = refreshJob.schema.parse(data)
      const origin = { kind: 'consumer', parent: parseTraceparent(job.traceparent) } as const
      const { ended, hasMore } = await traced(tracing, 'refresh job', origin, () => runRefreshes(job, () => isStopping))
      log.info({ issuer: job.issuer, ...ended }, 'refresh job done')
      if (hasMore) onMore()
    },
    { concurrency },
  )
  worker.on('failed', (job, err) => log.error({ err, jobId: job?.id }, 'refresh job failed'))
  worker.on('error', (err) => log.warn({ err }, 'job queue is out of reach'))
  return {
    close() {
      isStopping = true
      return worker.close()
    },
  }
}
