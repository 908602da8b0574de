import type { CallCountStore, CallReportLine } from '../../insight/store.ts'
import { AppError } from '../../kernel/app-error.ts'
import { addMs, type Clock } from '../../kernel/clock.ts'
import { percentile } from '../../kernel/latency.ts'
import { analyticsQuery, analyticsSchema } from '../analytics-schemas.ts'
import { present } from '../fields.ts'
import { defineRoute, type Route } from '../route.ts'

type Deps = { readonly callCounts: Pick<CallCountStore, 'report'>; readonly clock: Clock }

const hourMs = 3_600_000

/** What is counted of the calls in a tenant. */
export function createAnalyticsRoutes({ callCounts, clock }: Deps): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/analytics',
      operationId: 'getAnalytics',
      summary: 'Who called what, how often, how it ended, and how long it took',
      scope: 'analytics',
      query: analyticsQuery,
      success: {
        status: 200,
        description: 'Counts by hour, a few seconds old. Most calls first; with `hour` or `day`, in their order.',
        schema: analyticsSchema,
      },
      errors: [],
      handle: async ({ principal, query }) => {
        const { from: begin, to: end, group_by: groupBy, limit, connector_id, principal_id, ...filters } = query
        const to = roundUp(end ?? clock.now())
        const from = roundDown(begin ?? addMs(end ?? clock.now(), -24 * hourMs))
        if (from >= to) {
          throw new AppError('invalid_request', 'from is not before to', {
            fields: [{ path: 'from', message: 'must be before to' }],
            publicDetail: 'The query is not valid. from: must be before to',
          })
        }
        const more = present({ ...filters, connectorId: connector_id, principalId: principal_id })
        const { lines, totalCount } = await callCounts.report(principal.tenantId, { from, to, groupBy, limit, ...more })
        return {
          from: from.toISOString(),
          to: to.toISOString(),
          items: lines.map(representLine),
          total_count: totalCount,
          has_more: totalCount > lines.length,
          next_page_token: null,
        }
      },
    }),
  ]
}

const roundDown = (date: Date) => new Date(Math.floor(date.getTime() / hourMs) * hourMs)
const roundUp = (date: Date) => new Date(Math.ceil(date.getTime() / hourMs) * hourMs)

function representLine({ connectorId, time, totalMs, latency, ...line }: CallReportLine) {
  return {
    ...present({ connector_id: connectorId, time: time?.toISOString() }),
    ...line,
    latency_ms: representLatency(totalMs, latency),
  }
}

function representLatency(totalMs: number, latency: readonly number[]) {
  const timed = latency.reduce((sum, count) => sum + count, 0)
  if (timed === 0) return null
  const round = (ms: number | null) => Math.round(10 * (ms ?? 0)) / 10
  const at = (share: number) => round(percentile(latency, share))
  return { mean: round(totalMs / timed), p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}
