import { setTimeout as delay } from 'node:timers/promises'
import type { Queue, Worker } from 'bullmq'

const answerMs = 1000
const asked = ['add', 'addBulk', 'getJobCounts'] as const
type Handle = (data: unknown) => Promise<unknown>

/**
 * A queue whose calls fail within a second when its backend is out of reach. BullMQ waits for ever for one that was not there
 * when the queue was opened (taskforcesh/bullmq#995).
 */
export function answeringInTime(queue: Queue): Queue {
  for (const name of asked) {
    const method = queue[name].bind(queue) as (...args: unknown[]) => Promise<unknown>
    Object.assign(queue, { [name]: (...args: unknown[]) => inTime(method(...args)) })
  }
  return queue
}

async function inTime<T>(answer: Promise<T>): Promise<T> {
  const limit = new AbortController()
  // whatever comes of it after that is of no interest any more
  answer.catch(() => {})
  const late = delay(answerMs, undefined, { signal: limit.signal }).then(() => {
    throw new Error('the job queue did not answer in time')
  })
  late.catch(() => {})
  try {
    return await Promise.race([answer, late])
  } finally {
    limit.abort()
  }
}

/**
 * A worker that can be closed while its backend is out of reach: `close()` takes no new jobs, waits for those that run, and
 * gives the backend one more second to hear of it.
 */
export function closable(handle: Handle, open: (run: Handle) => Worker): Worker {
  const running = new Set<Promise<unknown>>()
  const worker = open((data) => {
    const job = handle(data).finally(() => running.delete(job))
    running.add(job)
    return job
  })
  const close = worker.close.bind(worker)
  return Object.assign(worker, {
    async close(): Promise<void> {
      const closing = close()
      await Promise.allSettled(running)
      await inTime(closing).catch(() => {})
    },
  })
}
