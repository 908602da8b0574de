import type { ConnectionStore } from '../src/connections/store.ts'
import type { Clock } from '../src/kernel/clock.ts'
import type { Logger } from '../src/log/logger.ts'
import type { RefreshQueue } from '../src/queue/refresh-queue.ts'

type Deps = {
  readonly connections: Pick<ConnectionStore, 'claimDue'>
  readonly refreshQueue: RefreshQueue
  readonly clock: Clock
  readonly log: Logger
  readonly intervalMs: number
}

const batchSize = 200
/** A claimed connection whose job got lost is found again after this time. */
const claimMs = 60_000

/**
 * Asks PostgreSQL, again and again, which connections are due, and hands them to the queue. Every worker does this; claims
 * skip each other's rows, so no leader is needed.
 */
export function startSweep({ connections, refreshQueue, clock, log, intervalMs }: Deps): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  let running: Promise<void> = sweepOnce()

  async function sweepOnce(): Promise<void> {
    try {
      for (;;) {
        const due = await connections.claimDue(clock.now(), batchSize, claimMs)
        await refreshQueue.add(due)
        if (due.length < batchSize || isStopping) break
      }
    } catch (err) {
      // the next sweep tries again; what was claimed comes back by itself
      log.warn({ err }, 'sweep failed')
    }
    if (isStopping) return
    timer = setTimeout(() => {
      running = sweepOnce()
    }, intervalMs)
  }

  return {
    async stop() {
      isStopping = true
      clearTimeout(timer)
      await running
    },
  }
}
