import type { Dispatcher } from 'undici'
import type { AddressPolicy } from './address-policy.ts'
import { egressError, toEgressError } from './egress-failure.ts'
import { type ExchangeRequest, type RunningExchange, startExchange } from './exchange.ts'

export type GuardDeps = { readonly policy: AddressPolicy; readonly dispatcher: Dispatcher }

/** What an exchange may take. */
export type ExchangeBounds = {
  /** Largest body accepted, in bytes (default 128 KB). */
  readonly maxBytes?: number
  /** For everything, redirects and the last byte of the body included (default 15000). */
  readonly totalMs?: number
  /** From a request to the last header of its answer (default 10000). */
  readonly headersMs?: number
  /** Lets the socket serve the next request to that origin as well, for a few seconds (default false). */
  readonly keepSocket?: boolean
}

const defaultMaxBytes = 128 * 1024
const defaultTotalMs = 15_000
const defaultHeadersMs = 10_000
/** Some front ends turn away requests that do not say who they are. */
export const userAgent = 'Patchbay'

/** Sends one request to where the policy lets it go. @throws AppError `egress_blocked` before anything is sent */
export function startGuarded({ policy, dispatcher }: GuardDeps, request: ExchangeRequest, bounds: ExchangeBounds) {
  try {
    policy.checkUrl(request.url)
  } catch (error) {
    throw toEgressError(error, { url: request.url, isRequestSent: false })
  }
  return startExchange(dispatcher, request, {
    maxBytes: bounds.maxBytes ?? defaultMaxBytes,
    headersMs: bounds.headersMs ?? defaultHeadersMs,
    isSocketKept: bounds.keepSocket ?? false,
  })
}

/** Ends an exchange whose answer is of no use. @throws AppError `upstream_protocol_error`, always */
export function refuseAnswer(running: RunningExchange, url: URL, reason: string): never {
  const error = egressError('upstream_protocol_error', reason, { url, isRequestSent: true })
  running.abort(error)
  throw error
}

/** The one deadline of a call and the caller's own signal, laid over each hop. */
export type Deadline = { watch(running: RunningExchange, url: URL): void; clear(): void }

export function createDeadline(totalMs = defaultTotalMs, signal?: AbortSignal | null): Deadline {
  if (signal?.aborted) throw signal.reason
  let end: (() => void) | undefined
  let isOver = false
  const finish = (): void => {
    isOver = true
    end?.()
  }
  const timer = setTimeout(finish, totalMs)
  signal?.addEventListener('abort', finish)
  return {
    watch: (running, url) => {
      end = () => {
        const facts = { url, isRequestSent: running.isRequestSent() }
        running.abort(signal?.aborted ? signal.reason : egressError('upstream_timeout', 'total', facts))
      }
      if (isOver) end()
    },
    clear: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
    },
  }
}
