import { currentTrace, formatTraceparent } from '../kernel/trace-context.ts'
import { noTracing, type Tracing, traced } from '../kernel/tracing.ts'
import type { GuardedFetch } from './guarded-fetch.ts'
import type { GuardedPost } from './guarded-post.ts'

/**
 * The same, within a span of its own wherever a trace is under way. Whom it asks is told that trace's ids (`traceparent`) and
 * nothing else of it; the span says the host, and never a path.
 */
export function createTracedFetch(fetch: GuardedFetch, tracing: Tracing): GuardedFetch {
  if (tracing === noTracing) return fetch
  return async (target, init = {}) => {
    if (currentTrace() === null) return fetch(target, init)
    return withinSpan(tracing, init.method ?? 'GET', target, (traceparent) => {
      const headers = new Headers(init.headers ?? {})
      if (traceparent !== null) headers.set('traceparent', traceparent)
      return fetch(target, { ...init, headers })
    })
  }
}

export function createTracedPost(post: GuardedPost, tracing: Tracing): GuardedPost {
  if (tracing === noTracing) return post
  return async (target, init) => {
    if (currentTrace() === null) return post(target, init)
    return withinSpan(tracing, 'POST', target, (traceparent) =>
      post(target, traceparent === null ? init : { ...init, headers: { ...init.headers, traceparent } }),
    )
  }
}

function withinSpan<Answer extends { readonly status: number }>(
  tracing: Tracing,
  method: string,
  target: URL | string,
  ask: (traceparent: string | null) => Promise<Answer>,
): Promise<Answer> {
  const attributes = { 'http.request.method': method, 'server.address': new URL(target).host }
  return traced(tracing, method, { kind: 'client', attributes }, async (span) => {
    const answer = await ask(span.context === null ? null : formatTraceparent(span.context))
    span.set({ 'http.response.status_code': answer.status })
    return answer
  })
}
