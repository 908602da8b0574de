import { createHmac } from 'node:crypto'
import type { Principal } from '../kernel/principal.ts'
import { isSameSecret } from '../kernel/secret.ts'

export type SessionKeys = {
  /** Signs. 32 bytes. */
  readonly active: Buffer
  /** All that are still accepted, the active one included. */
  readonly all: readonly Buffer[]
}

/** Whose session it is: this principal's, at this connection. */
export type SessionOwner = { readonly principal: Principal; readonly connectionId: string }

/** What the client said of itself in `initialize`, one letter each; `-` for nothing. `e`: it can open links. */
export type ClientFeatures = string

const tagBytes = 16
/** Visible ASCII (MCP 2025-11-25, transports, session management), short enough to travel in a header. */
const upstreamIdPattern = /^[\x21-\x7e]{1,2048}$/
const boundIdPattern = /^(?<upstreamId>[\x21-\x7e]{1,2048})~(?<features>-|[a-z]{1,8})\.(?<tag>[\w-]{22})$/
const maxVerified = 10_000

export type SessionBinding = ReturnType<typeof createSessionBinding>

/**
 * Session ids towards callers: `<upstream id>~<features>.<HMAC>` (PX-13). The HMAC-SHA256, cut to 128 bits, covers the
 * principal and the connection, so an id that leaks to another caller opens nothing; it is checked without a table, in
 * every process.
 */
export function createSessionBinding(keys: SessionKeys) {
  // An HMAC costs 2.4 microseconds, a look-up a tenth of that.
  const verified = new Map<string, { principalId: string; connectionId: string; upstreamId: string }>()

  function tagOf(key: Buffer, owner: SessionOwner, features: ClientFeatures, upstreamId: string): string {
    const { principal, connectionId } = owner
    return createHmac('sha256', key)
      .update(['mcp-session', principal.tenantId, principal.id, connectionId, features, upstreamId].join('\n'))
      .digest()
      .subarray(0, tagBytes)
      .toString('base64url')
  }

  return {
    /**
     * The id by which the caller will know an upstream's session; null when the upstream's id is not one (visible
     * ASCII, at most 2048 characters).
     */
    bind(owner: SessionOwner, upstreamId: string, features: ClientFeatures): string | null {
      if (!upstreamIdPattern.test(upstreamId)) return null
      return `${upstreamId}~${features}.${tagOf(keys.active, owner, features, upstreamId)}`
    },

    /** The upstream's id inside a caller's; null unless it was bound to just this owner. */
    open(owner: SessionOwner, boundId: string): string | null {
      const known = verified.get(boundId)
      if (known?.principalId === owner.principal.id && known.connectionId === owner.connectionId) {
        return known.upstreamId
      }
      const { upstreamId, features, tag } = boundIdPattern.exec(boundId)?.groups ?? {}
      if (upstreamId === undefined || features === undefined || tag === undefined) return null
      const isBound = keys.all.some((key) => isSameSecret(tagOf(key, owner, features, upstreamId), tag))
      if (!isBound) return null
      if (verified.size >= maxVerified) verified.delete(verified.keys().next().value ?? '')
      verified.set(boundId, { principalId: owner.principal.id, connectionId: owner.connectionId, upstreamId })
      return upstreamId
    },
  }
}

/**
 * The features that an id carries, unproven: they decide only how an answer to this very caller is worded.
 *
 * @returns `-` for an id that is none of ours
 */
export function featuresOf(boundId: string | null): ClientFeatures {
  return (boundId === null ? null : boundIdPattern.exec(boundId)?.groups?.features) ?? '-'
}
