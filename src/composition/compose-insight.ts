import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { createAnalyticsRoutes } from '../http/routes/analytics-routes.ts'
import { type CallRecorder, startRecordingCalls } from '../insight/record-calls.ts'
import { createCallTally } from '../insight/tally.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../log/logger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Storage } from '../storage/open-storage.ts'

type Deps = {
  readonly settings: Settings
  readonly storage: Pick<Storage, 'callCounts'>
  readonly clock: Clock
  readonly timings: Timings
  readonly metrics: Pick<Metrics, 'calls'>
  readonly log: Logger
}

/** What is counted of calls, stored and shown, wired: part of the composition root. */
export function composeInsight({ settings, storage, clock, timings, metrics, log }: Deps) {
  const { callCounts } = storage
  const tally = createCallTally(clock)
  let recorder: CallRecorder | null = null
  return {
    apiRoutes: createAnalyticsRoutes({ callCounts, clock }),
    callEnded: tally.add,
    /** From now on what is counted is stored; for processes that take calls. */
    startRecording(): void {
      const store = settings.ANALYTICS_KEPT_DAYS === 0 ? null : callCounts
      recorder = startRecordingCalls({ tally, store, metrics: metrics.calls, log, intervalMs: timings.callCountsMs })
    },
    /** Stores what was counted, now. */
    flush: async (): Promise<void> => recorder?.flush(),
    /** Stores the rest. */
    stop: async (): Promise<void> => recorder?.stop(),
  }
}
