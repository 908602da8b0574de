import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { egressError, toEgressError } from './egress-failure.ts'
import { createExchangeBody, type ExchangeBody } from './exchange-body.ts'

export type ExchangeRequest = {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | null
}

export type ExchangeLimits = {
  /** Bytes of body, counted as they come. */
  readonly maxBytes: number
  readonly headersMs: number
  /**
   * Whether a socket may serve several requests. Without it each has a connection of its own: on a socket that the server
   * gives up in the same moment, a request is in doubt.
   */
  readonly isSocketKept: boolean
}

/** An answer at its headers. Its body must be read, or the exchange aborted. */
export type Exchange = {
  readonly status: number
  readonly headers: Headers
  readonly body: ExchangeBody
}

export type RunningExchange = {
  readonly opened: Promise<Exchange>
  /** Fulfils when nothing more will come, whether the answer is complete or has failed. */
  readonly ended: Promise<void>
  /** True from the moment at which bytes may have left. */
  isRequestSent(): boolean
  /** Ends the exchange with this error at any moment, also while no socket exists yet. */
  abort(error: Error): void
}

/**
 * Sends one request and hands over the answer at its headers: unread, undecoded, not redirected.
 *
 * `opened` rejects and the body fails with the `AppError`s of `toEgressError`, or with the error given to `abort`.
 * A coded body (gzip and the like), or one longer than `maxBytes`, is `upstream_protocol_error`.
 */
export function startExchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  limits: ExchangeLimits,
): RunningExchange {
  const { url } = request
  let controller: Dispatcher.DispatchController | undefined
  let failure: Error | undefined
  let isRequestSent = false
  let received = 0
  const opened = deferred<Exchange>()
  const ended = deferred<void>()

  const fail = (error: Error): void => {
    if (failure !== undefined) return
    failure = error
    opened.reject(error)
    source.fail(error)
    controller?.abort(error)
    ended.resolve()
  }
  const refuse = (reason: string): void => fail(egressError('upstream_protocol_error', reason, { url, isRequestSent }))
  const source = createExchangeBody({
    resume: () => controller?.resume(),
    cancel: () => fail(new DOMException('the body was cancelled', 'AbortError')),
  })

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      if (failure === undefined) isRequestSent = true
      else started.abort(failure)
    },
    onResponseStart(_, status, rawHeaders) {
      if (status < 200 || failure !== undefined) return
      const headers = toHeaders(rawHeaders)
      if (headers === null) return refuse('header')
      const coding = headers.get('content-encoding')
      if (coding !== null && coding.toLowerCase() !== 'identity') return refuse('content_encoding')
      opened.resolve({ status, headers, body: source.body })
    },
    onResponseData(running, chunk) {
      if (failure !== undefined) return
      received += chunk.byteLength
      if (received > limits.maxBytes) return refuse('body_too_large')
      if (!source.push(chunk)) running.pause()
    },
    onResponseEnd() {
      if (failure !== undefined) return
      source.end()
      ended.resolve()
    },
    onResponseError(_, error) {
      fail(toEgressError(error, { url, isRequestSent }))
    },
  }

  dispatcher.dispatch(
    {
      origin: url.origin,
      path: url.pathname + url.search,
      method: request.method,
      headers: request.headers,
      body: request.body,
      headersTimeout: limits.headersMs,
      reset: !limits.isSocketKept,
    },
    handler,
  )
  return { opened: opened.promise, ended: ended.promise, isRequestSent: () => isRequestSent, abort: fail }
}

type Deferred<T> = { readonly promise: Promise<T>; resolve(value: T): void; reject(error: Error): void }

function deferred<T>(): Deferred<T> {
  const settlers: Pick<Deferred<T>, 'resolve' | 'reject'>[] = []
  const promise = new Promise<T>((resolve, reject) => {
    settlers.push({ resolve, reject })
  })
  return {
    promise,
    resolve: (value) => settlers[0]?.resolve(value),
    reject: (error) => settlers[0]?.reject(error),
  }
}

/** Null when a value is no header (undici reads bytes as Latin-1, which `Headers` mostly accepts). */
function toHeaders(raw: IncomingHttpHeaders): Headers | null {
  const headers = new Headers()
  try {
    for (const [name, value] of Object.entries(raw)) {
      for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one)
    }
  } catch {
    return null
  }
  return headers
}
