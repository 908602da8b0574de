import type { GuardedFetch, GuardedRequestInit } from '../egress/guarded-fetch.ts'
import { isAppError } from '../kernel/app-error.ts'

const maxDepth = 20

/**
 * Reads a JSON object from an upstream's text. Members that are null count as absent, which real servers send where
 * the RFCs say to leave out.
 *
 * @returns null for anything that is no object, or nested more than 20 deep
 */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isTooDeep(value)) return null
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))
}

/** Level by level, not by recursion: a hostile depth costs no stack. */
function isTooDeep(root: object): boolean {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth === maxDepth) return true
    level = level.flatMap((node) =>
      Object.values(node).filter((child): child is object => typeof child === 'object' && child !== null),
    )
  }
  return false
}

/** What asking for a metadata document came to. */
export type DocumentAnswer =
  | { readonly kind: 'document'; readonly status: number; readonly document: Readonly<Record<string, unknown>> }
  /** It answered, but there is nothing of the kind: a 4xx, or a page instead of JSON. */
  | { readonly kind: 'absent'; readonly status: number }
  /** Nobody can tell now: 429, 5xx, no answer. */
  | { readonly kind: 'unavailable'; readonly status?: number; readonly isTimeout: boolean }
  /** The egress guard refuses the address. */
  | { readonly kind: 'blocked' }

/** Fetches a metadata document (at most 128 KB, three redirects). Rethrows only what is no failure of the network. */
export async function fetchDocument(
  fetch: GuardedFetch,
  url: URL,
  limits: Pick<GuardedRequestInit, 'totalMs'>,
): Promise<DocumentAnswer> {
  try {
    const response = await fetch(url, { ...limits, maxRedirects: 3, headers: { accept: 'application/json' } })
    const { status } = response
    if (status === 429 || status >= 500) return { kind: 'unavailable', status, isTimeout: false }
    const document = status === 200 ? parseJsonObject(await response.text()) : null
    return document === null ? { kind: 'absent', status } : { kind: 'document', status, document }
  } catch (error) {
    if (isAppError(error, 'egress_blocked')) return { kind: 'blocked' }
    if (isAppError(error, 'upstream_timeout')) return { kind: 'unavailable', isTimeout: true }
    if (isAppError(error)) return { kind: 'unavailable', isTimeout: false }
    throw error
  }
}
