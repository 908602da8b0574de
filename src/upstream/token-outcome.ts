import { mayHaveBeenSent } from '../egress/egress-failure.ts'
import { AppError } from '../kernel/app-error.ts'
import { readTokenResponse, type TokenSet } from './token-response.ts'

/** What came of a request to a token endpoint, in the classes that decide what happens to a grant. */
export type TokenOutcome =
  | { readonly kind: 'ok'; readonly tokens: TokenSet }
  /** Says nothing about the grant. Ambiguous: the server may have acted on the request. */
  | { readonly kind: 'transient'; readonly isAmbiguous: boolean; readonly retryAfterMs?: number }
  /** The grant is refused for good. */
  | { readonly kind: 'rejected' }
  /** Our client is refused. */
  | { readonly kind: 'client_rejected' }
  /** The request is refused for what it asks. */
  | { readonly kind: 'config' }
  /** An answer that is no token response. */
  | { readonly kind: 'malformed' }

/** A token endpoint's answer, as far as it decides. */
export type TokenAnswer = {
  readonly status: number
  readonly retryAfter: string | null
  /** The parsed JSON; undefined when it was none. */
  readonly body: unknown
}

type Class = Exclude<TokenOutcome['kind'], 'ok'>

/** Error codes of RFC 6749 section 5.2 and RFC 8707, with those that well-known servers use instead. */
const classOfError: Readonly<Record<string, Class>> = {
  invalid_grant: 'rejected',
  bad_refresh_token: 'rejected',
  invalid_client: 'client_rejected',
  unauthorized_client: 'client_rejected',
  invalid_request: 'config',
  invalid_scope: 'config',
  invalid_target: 'config',
  unsupported_grant_type: 'config',
  temporarily_unavailable: 'transient',
  server_error: 'transient',
  slow_down: 'transient',
}

const ambiguousStatuses = new Set([408, 425, 500, 502, 504])
const minRetryAfterMs = 1000
const maxRetryAfterMs = 3_600_000

/** Classifies an answer (security checklist, outcome table 2.1). */
export function classifyAnswer({ status, retryAfter, body }: TokenAnswer, now: Date): TokenOutcome {
  const retryAfterMs = readRetryAfter(retryAfter, now)
  const waiting = retryAfterMs === undefined ? {} : { retryAfterMs }
  if (status === 429 || status === 503) return { kind: 'transient', isAmbiguous: false, ...waiting }
  if (status >= 500 || ambiguousStatuses.has(status)) return { kind: 'transient', isAmbiguous: true, ...waiting }
  if (status >= 300 && status < 400) return { kind: 'malformed' }
  // some servers say "error" with status 200
  const error = errorCode(body)
  if (error !== undefined) {
    const kind = classOfError[error]
    if (kind !== undefined && kind !== 'transient') return { kind }
    return { kind: 'transient', isAmbiguous: false, ...waiting }
  }
  // a 4xx without an error code says nothing of the grant: a proxy, a wrong path, a deployment in progress
  if (status >= 400) return { kind: 'transient', isAmbiguous: false, ...waiting }
  const tokens = readTokenResponse(body)
  return tokens === undefined ? { kind: 'malformed' } : { kind: 'ok', tokens }
}

/** Classifies the failure of a request that got no answer. */
export function classifyFailure(error: unknown): TokenOutcome {
  if (error instanceof AppError && error.code === 'upstream_protocol_error') return { kind: 'malformed' }
  return { kind: 'transient', isAmbiguous: mayHaveBeenSent(error) }
}

function errorCode(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined
  return typeof body.error === 'string' && body.error !== '' ? body.error : undefined
}

/** `Retry-After` (RFC 9110 section 10.2.3), seconds or a date, between one second and one hour. */
export function readRetryAfter(value: string | null, now: Date): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, minRetryAfterMs), maxRetryAfterMs)
}
