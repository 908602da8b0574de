import type { DueBatch } from '../connections/due-store.ts'
import { newId } from '../kernel/id.ts'
import { currentTrace, formatTraceparent } from '../kernel/trace-context.ts'
import type { Logger } from '../log/logger.ts'
import { countJobs } from './count-jobs.ts'
import { type RefreshJobData, refreshJob } from './jobs.ts'
import type { QueueBackend } from './queue-backend.ts'

export type RefreshQueue = {
  /** Hands what is due to whichever workers are free: one job for each issuer. */
  add(due: readonly DueBatch[]): Promise<void>
  /** How many jobs wait or run. */
  count(): Promise<number>
  close(): Promise<void>
}

/** The producer of refresh jobs. */
export function createRefreshQueue(backend: QueueBackend, log: Logger): RefreshQueue {
  const queue = backend.openQueue(refreshJob.queue)
  queue.on('error', (err: Error) => log.warn({ err }, 'job queue is out of reach'))
  return {
    async add(due) {
      if (due.length === 0) return
      const trace = currentTrace()
      const origin = trace === null ? {} : { traceparent: formatTraceparent(trace) }
      await queue.addBulk(
        due.map(({ issuer, references }) => ({
          name: refreshJob.queue,
          data: { issuer, references: [...references], ...origin } satisfies RefreshJobData,
          // fresh, so that no job that is still there, finished or stuck, is taken for this one
          opts: { jobId: `refresh-${newId()}` },
        })),
      )
    },
    count: () => countJobs(queue),
    close: () => queue.close(),
  }
}
