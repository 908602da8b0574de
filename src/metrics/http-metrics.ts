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

export function createHttpMetrics(registry: Registry): HttpMetrics {
  const registers = [registry]
  const requests = new Counter({
    name: 'patchbay_http_requests_total',
    help: 'Requests that are over, by part (mcp, api, page) and class of status; "none" got no answer.',
    labelNames: ['surface', 'status'] as const,
    registers,
  })
  const open = new Gauge({
    name: 'patchbay_http_requests_open',
    help: 'Requests being answered right now, open event streams included.',
    labelNames: ['surface'] as const,
    registers,
  })
  const duration = new Histogram({
    name: 'patchbay_http_request_duration_seconds',
    help: 'How long answers took, without those of MCP endpoints (see patchbay_relay_seconds).',
    labelNames: ['surface'] as const,
    buckets: durationBuckets,
    registers,
  })
  return {
    began: (surface) => open.inc({ surface }),
    ended(surface, status, durationMs) {
      open.dec({ surface })
      requests.inc({ surface, status: status === null ? 'none' : statusClass(status) })
      if (surface !== 'mcp') duration.observe({ surface }, durationMs / 1000)
    },
  }
}

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** An upstream may answer with any number; labels stay bounded. */
function statusClass(status: number): string {
  return classes[Math.floor(status / 100) - 1] ?? 'other'
}
