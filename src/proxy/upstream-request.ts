import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import { AppError } from '../kernel/app-error.ts'
import type { ProxyLimits } from './limits.ts'
import type { UpstreamRequest } from './upstream-dispatcher.ts'

type Address = { readonly origin: string; readonly path: string }

const maxAddresses = 1000
/** Parsed once: a connector's URL seldom changes, and parsing costs as much as all the rest of this file. */
const addresses = new Map<string, Address>()

/** @throws AppError `url_invalid` */
function addressOf(url: string): Address {
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
  /** The upstream's own session id. */
  readonly sessionId: string | null
  readonly body: Buffer
}

/**
 * The request as the upstream gets it: the stored URL and nothing of the caller's path or query (PX-15), the headers
 * that pass, and the target's own, which win over a caller's of the same name. The secrets in them are revealed here.
 */
export function toUpstreamRequest(target: UpstreamTarget, call: OutboundCall, limits: ProxyLimits): UpstreamRequest {
  const { origin, path } = addressOf(target.url)
  const headers: string[] = []
  const { forwarded } = call
  for (let index = 0; index + 1 < forwarded.length; index += 2) {
    const name = forwarded[index] ?? ''
    if (target.headers[name.toLowerCase()] === undefined) headers.push(name, forwarded[index + 1] ?? '')
  }
  if (call.sessionId !== null) headers.push('mcp-session-id', call.sessionId)
  if (target.headers['user-agent'] === undefined) headers.push('user-agent', 'patchbay')
  // Bytes pass as they are, so they must not be compressed for us (PX-07).
  headers.push('accept-encoding', 'identity')
  for (const name of Object.keys(target.headers)) headers.push(name, target.headers[name]?.reveal() ?? '')
  return {
    origin,
    path,
    method: call.method,
    headers,
    body: call.body.length === 0 ? null : call.body,
    headersTimeout: limits.answerTimeoutMs,
    bodyTimeout: 0,
  }
}
