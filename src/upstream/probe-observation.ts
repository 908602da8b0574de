import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { isAppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'
import { type Challenge, parseChallenge } from './challenge.ts'

export type ProbeOutcome =
  | {
      readonly kind: 'ok'
      /** As the server calls itself: text of the upstream. */
      readonly serverName?: string
      readonly serverVersion?: string
      /** The revision that was agreed on, which tells the era. */
      readonly protocolVersion?: string
      /** When it is another than Streamable HTTP. */
      readonly transport?: 'sse' | 'websocket'
    }
  /** 401, or a 403 that names what is missing: it wants authorization, or more of it. */
  | { readonly kind: 'unauthorized'; readonly status: 401 | 403; readonly challenge: Challenge | null }
  | { readonly kind: 'http_error'; readonly status: number }
  /** Something answered, but not as an MCP server. */
  | { readonly kind: 'not_mcp' }
  | { readonly kind: 'timeout' }
  /** `isBlocked`: our own egress guard refused. For administrators and the log; to others both look alike (SS-10). */
  | { readonly kind: 'unreachable'; readonly isBlocked?: true }

/** What went over the wire in one attempt to talk MCP. Only POSTs count: the rest is by the way. */
export type Observed = {
  posts: number
  /** How many of them came to an end other than taking too long. */
  ended: number
  /** Of the last POST that was answered. */
  status?: number
  /** Why the last POST was not answered. */
  failure?: unknown
  unauthorized?: { readonly status: 401 | 403; readonly challenge: Challenge | null }
}

type Observation = {
  readonly observed: Observed
  readonly credential: Readonly<Record<string, Secret>>
  readonly remainingMs: () => number
}

const maxAnswerBytes = 4 * 1024 * 1024

/** The guarded fetch for the MCP client: adds the credential, bounds time and size, and notes the facts. */
export function observe(
  fetch: GuardedFetch,
  { observed, credential, remainingMs }: Observation,
): (url: string | URL, init?: RequestInit) => Promise<Response> {
  return async (url, init = {}) => {
    const headers = new Headers(init.headers ?? {})
    for (const [name, value] of Object.entries(credential)) headers.set(name, value.reveal())
    const isPost = init.method === 'POST'
    if (isPost) observed.posts += 1
    const totalMs = remainingMs()
    try {
      const response = await fetch(url, {
        ...init,
        headers,
        stream: true,
        maxBytes: maxAnswerBytes,
        headersMs: totalMs,
        totalMs,
      })
      if (isPost) note(observed, response)
      return response
    } catch (error) {
      if (isPost) {
        observed.failure = error
        if (isAppError(error) && error.code !== 'upstream_timeout') observed.ended += 1
      }
      throw error
    }
  }
}

function note(observed: Observed, { status, headers }: Response): void {
  observed.ended += 1
  observed.status = status
  if (status !== 401 && status !== 403) return
  const header = headers.get('www-authenticate')
  const challenge = header === null ? null : parseChallenge(header)
  // A plain 403 is a refusal; one that says what is missing, or where to get it, asks for authorization.
  const isAsking = challenge?.error === 'insufficient_scope' || challenge?.resourceMetadata !== undefined
  if (status === 401 || isAsking) observed.unauthorized = { status, challenge }
}

/** The verdict on an attempt that the MCP client gave up. */
export function outcomeOf({ unauthorized, status, failure }: Observed): ProbeOutcome {
  if (unauthorized !== undefined) return { kind: 'unauthorized', ...unauthorized }
  if (failure !== undefined) {
    if (isAppError(failure, 'upstream_timeout')) return { kind: 'timeout' }
    if (isAppError(failure, 'egress_blocked')) return { kind: 'unreachable', isBlocked: true }
    return { kind: isAppError(failure, 'upstream_protocol_error') ? 'not_mcp' : 'unreachable' }
  }
  if (status === undefined) return { kind: 'timeout' }
  return status >= 400 ? { kind: 'http_error', status } : { kind: 'not_mcp' }
}

/** The verdict when time ran out: a server may refuse at once and then never end its answer. */
export function lateOutcomeOf({ unauthorized }: Observed): ProbeOutcome {
  return unauthorized === undefined ? { kind: 'timeout' } : { kind: 'unauthorized', ...unauthorized }
}

/**
 * True when the very first question, which only the modern era knows, brought no answer that could be understood:
 * an older server may have choked on it. Not when nobody is there, or when authorization is asked for.
 */
export function isWorthLegacyAttempt(outcome: ProbeOutcome, { posts, failure }: Observed): boolean {
  if (posts !== 1 || outcome.kind === 'ok' || outcome.kind === 'unauthorized') return false
  return !(isAppError(failure) && failure.meta.isRequestSent === false)
}
