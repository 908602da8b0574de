import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import type { UpstreamRequest } from '../egress/http1/exchange.ts'
import { AppError } from '../kernel/app-error.ts'

type Address = { readonly origin: string; readonly path: string }

const maxAddresses = 1000
/** Parsed once: a connector's URL seldom changes, and parsing costs as much as all the rest of this file. */
const addresses = new Map<string, Address>()

/** Where a connector's URL leads. @throws AppError `url_invalid` */
export function addressOf(url: string): Address {
  const known = addresses.get(url)
  if (known !== undefined) return known
  if (!URL.canParse(url)) throw new AppError('url_invalid', 'the stored URL of a connector cannot be parsed')
  const { origin, pathname, search } = new URL(url)
  const address = { origin, path: pathname + search }
  if (addresses.size >= maxAddresses) addresses.clear()
  addresses.set(url, address)
  return address
}

export type OutboundCall = {
  readonly method: string
  /** What the caller sent and may pass, names and values in turn. */
  readonly forwarded: readonly string[]
  /** Our own place in the trace, instead of the caller's; null: the caller's passes. */
  readonly traceparent: string | null
  /** The upstream's own session id. */
  readonly sessionId: string | null
  readonly body: Buffer
}

/** What of a request is the same for every call to a target. */
type Fixed = {
  readonly address: Address
  /** Names and values in turn. */
  readonly headers: readonly string[]
  /** Lower-case names that are the target's, whatever a caller sends. */
  readonly names: ReadonlySet<string>
}

/** As long as the target itself is remembered. */
const fixedOf = new WeakMap<UpstreamTarget, Fixed>()

/** @throws AppError `url_invalid` */
function fixedFor(target: UpstreamTarget): Fixed {
  const known = fixedOf.get(target)
  if (known !== undefined) return known
  const own = Object.entries(target.headers)
  const headers = own.flatMap(([name, value]) => [name, value.reveal()])
  // Bytes pass as they are, so they must not be compressed for us (PX-07).
  headers.push('accept-encoding', 'identity')
  if (target.headers['user-agent'] === undefined) headers.push('user-agent', 'patchbay')
  const fresh = { address: addressOf(target.url), headers, names: new Set(own.map(([name]) => name)) }
  fixedOf.set(target, fresh)
  return fresh
}

/**
 * The request as the upstream gets it: the stored URL and nothing of the caller's path or query (PX-15), the headers
 * that pass, and the target's own, which win over a caller's of the same name. The secrets in them are revealed here.
 */
export function toUpstreamRequest(target: UpstreamTarget, call: OutboundCall): UpstreamRequest {
  const { address, headers: own, names } = fixedFor(target)
  const headers: string[] = []
  const { forwarded } = call
  for (let index = 0; index + 1 < forwarded.length; index += 2) {
    const name = forwarded[index] ?? ''
    if (call.traceparent !== null && name.toLowerCase() === 'traceparent') continue
    if (names.size === 0 || !names.has(name.toLowerCase())) headers.push(name, forwarded[index + 1] ?? '')
  }
  if (call.traceparent !== null) headers.push('traceparent', call.traceparent)
  if (call.sessionId !== null) headers.push('mcp-session-id', call.sessionId)
  for (const each of own) headers.push(each)
  return {
    origin: address.origin,
    path: address.path,
    method: call.method,
    headers,
    body: call.body.length === 0 ? null : call.body,
  }
}
