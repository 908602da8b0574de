import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { durationBuckets } from './buckets.ts'

/** Which part of Patchbay a request was for. */
export type Surface = 'mcp' | 'api' | 'page'

export type HttpMetrics = {
  /** A request came in. */
  began(surface: Surface): void
  /**
   * A request is over.
   *
   * @param status of the answer; null when there was none
   * @param durationMs from the first line of the request to the end of the answer
   */
  ended(surface: Surface, status: number | null, durationMs: number): void
}

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
type StatusClass = (typeof classes)[number] | 'none' | 'other'

/** Plain numbers, since each relayed call counts here three times; they become samples when somebody asks. */
type Counts = { began: number; ended: number; readonly byStatus: Record<StatusClass, number> }

const zero = (): Counts => ({
  began: 0,
  ended: 0,
  byStatus: { none: 0, '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, other: 0 },
})

export function createHttpMetrics(registry: Registry): HttpMetrics {
  const registers = [registry]
  const counts: Record<Surface, Counts> = { mcp: zero(), api: zero(), page: zero() }
  const used = () => (Object.keys(counts) as Surface[]).filter((surface) => counts[surface].began > 0)
  new Counter({
    name: 'patchbay_http_requests_total',
    help: 'Requests that are over, by part (mcp, api, page) and class of status; "none" got no answer.',
    labelNames: ['surface', 'status'] as const,
    registers,
    collect() {
      this.reset()
      for (const surface of used()) {
        for (const [status, count] of Object.entries(counts[surface].byStatus)) {
          if (count > 0) this.inc({ surface, status }, count)
        }
      }
    },
  })
  new Gauge({
    name: 'patchbay_http_requests_open',
    help: 'Requests being answered right now, open event streams included.',
    labelNames: ['surface'] as const,
    registers,
    collect() {
      for (const surface of used()) this.set({ surface }, counts[surface].began - counts[surface].ended)
    },
  })
  const duration = new Histogram({
    name: 'patchbay_http_request_duration_seconds',
    help: 'How long answers took, without those of MCP endpoints (see patchbay_relay_seconds).',
    labelNames: ['surface'] as const,
    buckets: durationBuckets,
    registers,
  })
  return {
    began(surface) {
      counts[surface].began += 1
    },
    ended(surface, status, durationMs) {
      counts[surface].ended += 1
      counts[surface].byStatus[status === null ? 'none' : statusClass(status)] += 1
      if (surface !== 'mcp') duration.observe({ surface }, durationMs / 1000)
    },
  }
}

/** An upstream may answer with any number; labels stay bounded. */
function statusClass(status: number): StatusClass {
  return classes[Math.floor(status / 100) - 1] ?? 'other'
}
