import { Gauge, Histogram, type Registry } from 'prom-client'
import { durationBuckets } from './buckets.ts'

/** What came of sending a call upstream once. */
export type RelayResult = 'answered' | 'unauthorized' | 'caller_gone' | 'failed'

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
  const registers = [registry]
  const relayed = new Histogram({
    name: 'patchbay_relay_seconds',
    help: 'Calls sent to upstreams, from sending to the complete answer, or to the first byte of a stream; by result.',
    labelNames: ['result'] as const,
    buckets: durationBuckets,
    registers,
  })
  const streams = new Gauge({
    name: 'patchbay_relay_streams_open',
    help: 'Event streams that are being passed on right now.',
    registers,
  })
  return {
    relayed: (result, tookMs) => relayed.observe({ result }, tookMs / 1000),
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
  }
}
