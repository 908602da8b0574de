import { currentTrace, formatTraceparent } from '../kernel/trace-context.ts'
import { noTracing, type Tracing, traced } from '../kernel/tracing.ts'
import type { GuardedFetch } from './guarded-fetch.ts'

/**
 * The same, within a span of its own wherever a trace is under way. Whom it asks is told that trace's ids (`traceparent`) and
 * nothing else of it; the span says the host, and never a path.
 */
export function createTracedFetch(fetch: GuardedFetch, tracing: Tracing): GuardedFetch {
  if (tracing === noTracing) return fetch
  return async (target, init = {}) => {
    if (currentTrace() === null) return fetch(target, init)
    const method = init.method ?? 'GET'
    const attributes = { 'http.request.method': method, 'server.address': new URL(target).host }
    return traced(tracing, method, { kind: 'client', attributes }, async (span) => {
      const headers = new Headers(init.headers ?? {})
      if (span.context !== null) headers.set('traceparent', formatTraceparent(span.context))
      const response = await fetch(target, { ...init, headers })
      span.set({ 'http.response.status_code': response.status })
      return response
    })
  }
}
