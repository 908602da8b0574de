import { Dispatcher, Pool } from 'undici'
import type { AddressPolicy } from './address-policy.ts'
import { createGuardedConnector, type LookupAddresses } from './guarded-connector.ts'

export type GuardedDispatcherOptions = {
  readonly policy: AddressPolicy
  /** Resolves names; the system's resolver unless given. */
  readonly lookup?: LookupAddresses
  /** Origins that are kept at a time (default 256). The one unused longest goes first, with its sockets. */
  readonly maxOrigins?: number
  /** Sockets per origin (default 1024; each open stream holds one). */
  readonly connectionsPerOrigin?: number
  /** From the look-up to the end of the TLS handshake (default 5000). */
  readonly connectTimeoutMs?: number
  /** From the request to the last header (default 10000; 0: for ever). */
  readonly headersTimeoutMs?: number
  /** Between two pieces of a body (default 15000; 0: for ever, for streams). */
  readonly bodyTimeoutMs?: number
  /** How long an idle socket is kept (default 4000). */
  readonly keepAliveTimeoutMs?: number
  /** Certificate authorities besides those that Node.js trusts, PEM. */
  readonly ca?: string
}

const maxHeaderBytes = 16 * 1024
/** Of a message on a WebSocket, unpacked: a small one may hold gigabytes. */
const maxMessageBytes = 16 * 1024 * 1024

/**
 * The way out: an undici dispatcher with one guarded pool per origin, HTTP/1.1, one request at a time on a socket,
 * answers with more than 16 KB of headers refused. It serves undici's `dispatch`, `request`, `fetch` and `WebSocket`.
 *
 * It follows no redirects and reads no proxy settings. Refusals surface as `AppError` `url_not_allowed` or
 * `egress_blocked`, as the request's error (`fetch` makes them the `cause` of its own).
 *
 * `origin` of a request must be a `URL` or its `origin`, as undici's `fetch` and `request` make it.
 */
export function createGuardedDispatcher(options: GuardedDispatcherOptions): Dispatcher {
  return new GuardedDispatcher(options)
}

// undici composes by class: `fetch` and `request` live on this prototype.
class GuardedDispatcher extends Dispatcher {
  /** undici's WebSocket asks its dispatcher for these, and knows no bound without. */
  readonly webSocketOptions = { maxPayloadSize: maxMessageBytes, maxFragments: 16_384 }
  readonly #options: GuardedDispatcherOptions
  readonly #maxOrigins: number
  /** In the order of last use. */
  readonly #pools = new Map<string, Pool>()
  /** The last of them, which most requests ask for again: a Map that is reordered with each call is rehashed every few. */
  #last: { readonly key: string; readonly pool: Pool } | null = null

  constructor(options: GuardedDispatcherOptions) {
    super()
    this.#options = options
    this.#maxOrigins = options.maxOrigins ?? 256
  }

  override dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (request.origin === undefined) throw new TypeError('a request needs an origin')
    const key = typeof request.origin === 'string' ? request.origin : request.origin.origin
    if (this.#last?.key !== key) this.#last = { key, pool: this.#poolFor(key) }
    return this.#last.pool.dispatch(request, handler)
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | undefined {
    return whenAll(this.#takeAll(), (pool) => pool.close(), callback)
  }

  override destroy(): Promise<void>
  override destroy(error: Error | null): Promise<void>
  override destroy(callback: () => void): void
  override destroy(error: Error | null, callback: () => void): void
  override destroy(first?: Error | null | (() => void), second?: () => void): Promise<void> | undefined {
    const error = typeof first === 'function' ? null : (first ?? null)
    return whenAll(this.#takeAll(), (pool) => pool.destroy(error), typeof first === 'function' ? first : second)
  }

  #poolFor(key: string): Pool {
    const known = this.#pools.get(key)
    if (known !== undefined) {
      this.#pools.delete(key)
      this.#pools.set(key, known)
      return known
    }
    if (this.#pools.size >= this.#maxOrigins) this.#evictOne()
    const pool = createPool(new URL(key), this.#options)
    this.#pools.set(key, pool)
    return pool
  }

  /** Prefers an origin that nobody is talking to, so that many new origins cannot end other people's streams. */
  #evictOne(): void {
    const entries = [...this.#pools]
    const victim = entries.find(([, pool]) => pool.stats.size === 0) ?? entries[0]
    if (victim === undefined) return
    this.#pools.delete(victim[0])
    void victim[1].destroy()
  }

  #takeAll(): Pool[] {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    this.#last = null
    return pools
  }
}

function createPool(origin: URL, options: GuardedDispatcherOptions): Pool {
  return new Pool(origin.origin, {
    connections: options.connectionsPerOrigin ?? 1024,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    bodyTimeout: options.bodyTimeoutMs ?? 15_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 4000,
    connect: createGuardedConnector(origin, {
      policy: options.policy,
      lookup: options.lookup,
      timeoutMs: options.connectTimeoutMs,
      ca: options.ca,
    }),
  })
}

function whenAll(
  pools: readonly Pool[],
  end: (pool: Pool) => Promise<void>,
  callback: (() => void) | undefined,
): Promise<void> | undefined {
  const ended = Promise.all(pools.map(end)).then(() => undefined)
  if (callback === undefined) return ended
  void ended.then(callback)
  return undefined
}
