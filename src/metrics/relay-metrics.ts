import { Gauge, type Registry } from 'prom-client'
import { durationBuckets } from './buckets.ts'
import { createTally } from './tally.ts'

const results = ['answered', 'unauthorized', 'caller_gone', 'failed'] as const
/** What came of sending a call upstream once. */
export type RelayResult = (typeof results)[number]

export type RelayMetrics = {
  /**
   * A call was sent upstream, and what becomes of it is decided: for a stream at its first byte.
   *
   * @param tookMs milliseconds
   */
  relayed(result: RelayResult, tookMs: number): void
  streamOpened(): void
  streamClosed(): void
}

export function createRelayMetrics(registry: Registry): RelayMetrics {
  const observe = createTally({
    name: 'patchbay_relay_seconds',
    help: 'Calls sent to upstreams, from sending to the complete answer, or to the first byte of a stream; by result.',
    registry,
    label: 'result',
    values: results,
    buckets: durationBuckets,
  })
  let openStreams = 0
  new Gauge({
    name: 'patchbay_relay_streams_open',
    help: 'Event streams that are being passed on right now.',
    registers: [registry],
    collect() {
      this.set(openStreams)
    },
  })
  return {
    relayed: (result, tookMs) => observe(result, tookMs / 1000),
    streamOpened() {
      openStreams += 1
    },
    streamClosed() {
      openStreams -= 1
    },
  }
}
