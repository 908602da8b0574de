import type { DueConnection } from '../connections/store.ts'
import type { Logger } from '../log/logger.ts'
import { type RefreshJobData, refreshJob } from './jobs.ts'
import type { QueueBackend } from './queue-backend.ts'

export type RefreshQueue = {
  /** Hands connections to whichever worker is free. One job for each connection and version, however often it is asked for. */
  add(due: readonly DueConnection[]): Promise<void>
  close(): Promise<void>
}

/** The producer of refresh jobs. */
export function createRefreshQueue(backend: QueueBackend, log: Logger): RefreshQueue {
  const queue = backend.openQueue(refreshJob.queue)
  queue.on('error', (err: Error) => log.warn({ err }, 'job queue is out of reach'))
  return {
    async add(due) {
      if (due.length === 0) return
      await queue.addBulk(
        due.map(({ id, tenantId, tokenVersion }) => ({
          name: refreshJob.queue,
          data: { tenantId, connectionId: id, tokenVersion } satisfies RefreshJobData,
          opts: { jobId: `refresh-${id}-${tokenVersion}` },
        })),
      )
    },
    close: () => queue.close(),
  }
}
