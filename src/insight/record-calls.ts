import type { Logger } from '../log/logger.ts'
import type { CallMetrics } from '../metrics/call-metrics.ts'
import type { CallCountStore } from './store.ts'
import type { CallTally } from './tally.ts'

type Deps = {
  readonly tally: CallTally
  /** Null: nothing is kept, and only the metrics are fed. */
  readonly store: Pick<CallCountStore, 'add'> | null
  readonly metrics: CallMetrics
  readonly log: Pick<Logger, 'warn' | 'info'>
  readonly intervalMs: number
}

export type CallRecorder = {
  /** Stores what was counted, now. What the database does not take waits for the next time. */
  flush(): Promise<void>
  /** Stores the rest. */
  stop(): Promise<void>
}

/**
 * Stores what the tally counted, every few seconds, many calls in a row or two: a process that is killed loses what it counted
 * since the last time and nothing else.
 */
export function startRecordingCalls({ tally, store, metrics, log, intervalMs }: Deps): CallRecorder {
  let running: Promise<void> = Promise.resolve()
  let isFailing = false

  async function flushOnce(): Promise<void> {
    const { counts, methods, dropped } = tally.take()
    for (const { method, outcome, calls } of methods) metrics.counted(method, outcome, calls)
    if (dropped > 0) metrics.dropped(dropped)
    if (counts.length === 0 || store === null) return
    try {
      await store.add(counts)
      if (isFailing) log.info('calls are counted again')
      isFailing = false
    } catch (err) {
      tally.giveBack(counts)
      // once: an outage lasts for many intervals
      if (!isFailing) log.warn({ err }, 'counts of calls cannot be stored now')
      isFailing = true
    }
  }

  /** One at a time, so that nothing is given back twice. */
  function flush(): Promise<void> {
    running = running.then(flushOnce)
    return running
  }

  const timer = setInterval(() => void flush(), intervalMs).unref()
  return {
    flush,
    async stop() {
      clearInterval(timer)
      await flush()
    },
  }
}
