import type { Exchange, ExchangeRequest } from './exchange.ts'
import {
  createDeadline,
  type ExchangeBounds,
  type GuardDeps,
  refuseAnswer,
  startGuarded,
  userAgent,
} from './guarded-exchange.ts'

export type GuardedRequestInit = RequestInit &
  ExchangeBounds & {
    /** Redirects to follow, for GET only (default 0: a redirect is an error). */
    readonly maxRedirects?: number
    /** Hands the answer over at its headers; cap and deadline go on applying to its body. */
    readonly stream?: boolean
  }

/**
 * Requests one URL under the guard. Fits wherever a `fetch` may be given: openid-client's `[customFetch]`, the MCP
 * client's `fetch`. Never sends cookies, never decodes, never caches, and reads the body before it returns.
 *
 * @throws AppError `egress_blocked` (address, scheme, port), `upstream_unreachable`, `upstream_timeout`,
 * `upstream_protocol_error` (redirect, coded or oversized body, broken HTTP). Nothing in them is for callers to read
 * but the code; `meta` is for the log. An abort by the caller's own `signal` rejects with the signal's reason.
 */
export type GuardedFetch = (url: URL | string, init?: GuardedRequestInit) => Promise<Response>

const bodilessStatuses = new Set([204, 205, 304])

export function createGuardedFetch(deps: GuardDeps): GuardedFetch {
  return async (target, init = {}) => {
    const deadline = createDeadline(init.totalMs, init.signal)
    let isHandedOver = false
    try {
      let redirectsLeft = (init.method ?? 'GET') === 'GET' ? (init.maxRedirects ?? 0) : 0
      let request = toRequest(new URL(target), init)
      for (;;) {
        const running = startGuarded(deps, request, init)
        deadline.watch(running, request.url)
        const exchange = await running.opened
        if (exchange.status > 599) return refuseAnswer(running, request.url, 'status')
        if (exchange.status < 300 || exchange.status > 399) {
          isHandedOver = init.stream === true
          if (isHandedOver) void running.ended.then(deadline.clear)
          return await toResponse(exchange, request, isHandedOver)
        }
        const next = redirectsLeft > 0 ? redirectTarget(exchange, request.url) : null
        if (next === null) return refuseAnswer(running, request.url, 'redirect')
        redirectsLeft -= 1
        running.abort(new DOMException('followed a redirect', 'AbortError'))
        request = followTo(next, request)
      }
    } finally {
      if (!isHandedOver) deadline.clear()
    }
  }
}

async function toResponse(exchange: Exchange, request: ExchangeRequest, isStream: boolean): Promise<Response> {
  const { status, headers, body } = exchange
  const isBodiless = bodilessStatuses.has(status) || request.method === 'HEAD'
  const content = isStream && !isBodiless ? body.stream() : await body.bytes()
  const response = new Response(isBodiless ? null : content, { status, headers })
  Object.defineProperty(response, 'url', { value: request.url.href })
  return response
}

function toRequest(url: URL, init: GuardedRequestInit): ExchangeRequest {
  const headers = new Headers(init.headers ?? {})
  const { body } = init
  if (body instanceof URLSearchParams && !headers.has('content-type')) {
    headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8')
  }
  headers.set('accept-encoding', 'identity')
  if (!headers.has('user-agent')) headers.set('user-agent', userAgent)
  return {
    url,
    method: init.method ?? 'GET',
    headers: Object.fromEntries(headers),
    body: toBody(body),
  }
}

function toBody(body: GuardedRequestInit['body']): string | Uint8Array | null {
  if (body === undefined || body === null) return null
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new TypeError('the guarded fetch sends text, bytes and forms only')
}

/** Where a redirect leads, unless nowhere or from https to http. */
function redirectTarget(exchange: Exchange, from: URL): URL | null {
  const location = exchange.headers.get('location')
  if (location === null || !URL.canParse(location, from.href)) return null
  const to = new URL(location, from)
  return from.protocol === 'https:' && to.protocol !== 'https:' ? null : to
}

/** Another origin is told nothing but what is asked for: no credential, no session id. */
function followTo(url: URL, request: ExchangeRequest): ExchangeRequest {
  const accept = request.headers.accept
  const isSameOrigin = url.origin === request.url.origin
  const headers = isSameOrigin
    ? request.headers
    : { 'accept-encoding': 'identity', 'user-agent': userAgent, ...(accept === undefined ? {} : { accept }) }
  return { url, method: 'GET', headers, body: null }
}
