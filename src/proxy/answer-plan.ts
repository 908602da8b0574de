import { type Challenge, parseChallenge } from '../upstream/challenge.ts'
import type { ProxyLimits } from './limits.ts'
import { bodyKindOf, type ResponseHead } from './response-headers.ts'

/**
 * What becomes of an upstream's answer:
 * - `unauthorized`: it refused the credential; never shown to the caller (PX-04);
 * - `refuse`: 502, since it is not an answer that an MCP server gives;
 * - `events`, `stream`: passed on as it comes;
 * - `hold`: collected until complete, up to `maxHeldBytes`, then passed on with its length;
 * - `discard`: the status is passed on, the body is not.
 */
export type AnswerPlan =
  | { readonly kind: 'unauthorized'; readonly status: 401 | 403; readonly challenge: Challenge | null }
  | { readonly kind: 'refuse'; readonly reason: string }
  | { readonly kind: 'events' | 'stream' | 'discard' }
  | {
      readonly kind: 'hold'
      readonly maxBytes: number
      /** A body longer than that: answered without it, or 502. */
      readonly whenLonger: 'discard' | 'refuse'
    }

const events: AnswerPlan = { kind: 'events' }
const stream: AnswerPlan = { kind: 'stream' }
const discard: AnswerPlan = { kind: 'discard' }
const nothing: AnswerPlan = { kind: 'hold', maxBytes: 0, whenLonger: 'refuse' }

/**
 * Decides by status, method and content type (PX-04 to PX-07, PX-09; security checklist, "Readings").
 *
 * From 400 on the status always passes, since clients tell eras and dead sessions by it; the body passes when it is
 * short and of a kind that no browser runs. Below, a body of a foreign kind is a 502; where it means nothing in MCP
 * (202, DELETE) it is dropped, because real servers put a word there.
 */
export function planAnswer(status: number, head: ResponseHead, method: string, limits: ProxyLimits): AnswerPlan {
  if (status === 401 || status === 403) {
    const challenge = head.wwwAuthenticate === null ? null : parseChallenge(head.wwwAuthenticate)
    if (status === 401 || challenge?.error === 'insufficient_scope') return { kind: 'unauthorized', status, challenge }
  }
  if (head.flaw !== null) return { kind: 'refuse', reason: `bad header: ${head.flaw}` }
  if (status > 599) return { kind: 'refuse', reason: 'no HTTP status' }
  if (status >= 300 && status < 400) return { kind: 'refuse', reason: 'redirect' }
  const kind = bodyKindOf(head.contentType)
  if (status >= 400) {
    if (head.isEncoded || kind === 'foreign' || kind === 'none') return discard
    return { kind: 'hold', maxBytes: limits.maxHeldBytes, whenLonger: 'discard' }
  }
  if (head.isEncoded) return { kind: 'refuse', reason: 'content encoding' }
  if (status === 204 || status === 205) return discard
  switch (kind) {
    case 'json': {
      const isShort = head.contentLength !== null && head.contentLength <= limits.maxHeldBytes
      return isShort ? { kind: 'hold', maxBytes: limits.maxHeldBytes, whenLonger: 'refuse' } : stream
    }
    case 'events':
      return events
    default:
      if (status === 202 || method === 'DELETE') return discard
      return kind === 'none' || head.contentLength === 0 ? nothing : { kind: 'refuse', reason: 'content type' }
  }
}
