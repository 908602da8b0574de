import type { Claim, DueBatch, DueStore } from '../src/connections/due-store.ts'
import type { Clock } from '../src/kernel/clock.ts'
import { type Tracing, traced } from '../src/kernel/tracing.ts'
import type { Logger } from '../src/log/logger.ts'
import type { RefreshQueue } from '../src/queue/refresh-queue.ts'

type Deps = {
  readonly due: Pick<DueStore, 'claim' | 'release'>
  readonly refreshQueue: Pick<RefreshQueue, 'add'>
  readonly clock: Clock
  readonly log: Logger
  readonly tracing: Tracing
  readonly intervalMs: number
  /** Told of each issuer's claim: how long the first of its connections was overdue, milliseconds. */
  readonly onClaimed: (lateMs: number) => void
}

export type Sweep = {
  /** Sweeps at once: there is more to do than was claimed. */
  nudge(): void
  stop(): Promise<void>
}

/**
 * An issuer whose job got lost is found again after `claimMs`. Not all of its connections are named: the job itself goes on with
 * what else is due.
 */
const claim: Claim = { perIssuer: 50, claimMs: 60_000 }

/**
 * Asks PostgreSQL, again and again, which connections are due, and hands them to the queue. Every worker does this; claims
 * skip each other's rows, so no leader is needed.
 */
export function startSweep({ due, refreshQueue, clock, log, tracing, intervalMs, onClaimed }: Deps): Sweep {
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  let isNudged = false
  let isRunning = false
  let running: Promise<void> = sweep()

  async function sweep(): Promise<void> {
    isRunning = true
    do {
      isNudged = false
      await sweepOnce()
    } while (isNudged && !isStopping)
    isRunning = false
    if (!isStopping) timer = setTimeout(start, intervalMs)
  }

  async function sweepOnce(): Promise<void> {
    try {
      const batches = await due.claim(clock.now(), claim)
      for (const { lateMs } of batches) onClaimed(lateMs)
      if (batches.length > 0) await traced(tracing, 'refresh sweep', { kind: 'producer' }, () => enqueue(batches))
    } catch (err) {
      // the next sweep tries again; what was claimed comes back by itself
      log.warn({ err }, 'sweep failed')
    }
  }

  /** What the queue does not take may be claimed again at once, by a worker that reaches it. */
  async function enqueue(batches: readonly DueBatch[]): Promise<void> {
    try {
      await refreshQueue.add(batches)
    } catch (error) {
      for (const { issuer } of batches) await due.release(issuer)
      throw error
    }
  }

  function start(): void {
    clearTimeout(timer)
    running = sweep()
  }

  return {
    nudge() {
      if (isStopping) return
      if (isRunning) isNudged = true
      else start()
    },
    async stop() {
      isStopping = true
      clearTimeout(timer)
      await running
    },
  }
}
