import { callerPlace } from '../access/caller-place.ts'
import { requireScope } from '../access/rights.ts'
import type { Changes } from '../kernel/changes.ts'
import { type Clock, msOf } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import { createReadThrough } from '../kernel/read-through.ts'
import type { Resolution, ResolveUpstream } from './resolve-upstream.ts'

type Deps = {
  readonly resolveUpstream: ResolveUpstream
  readonly changes: Changes
  readonly clock: Clock
}

const maxEntries = 10_000
/** Of what nobody announces any change of. See docs/adr/0010-memory-that-hears-of-changes.md. */
const maxAgeMs = 300_000
/** A token that is about to run out is for `resolveUpstream` to renew. */
const renewalMs = 10_000

export type KnownUpstreams = {
  /** At once what is remembered. @throws AppError `not_found`, `forbidden`, `connector_disabled` */
  readonly resolve: (principal: Principal, connectorId: string) => Resolution | Promise<Resolution>
  /** For who knows better before the announcement comes. */
  forget(connectorId: string): void
}

/**
 * `resolveUpstream` with a memory for what is usable, by principal and connector. Announced changes drop what they touch;
 * while changes are not heard, nothing is remembered.
 */
export function createKnownUpstreams({ resolveUpstream, changes, clock }: Deps): KnownUpstreams {
  const nowMs = msOf(clock)
  const known = createReadThrough<Resolution>({
    maxEntries,
    maxAgeMs,
    now: nowMs,
    isOpen: changes.isLive,
    tagsOf: (resolution) => (isLasting(resolution) ? [resolution.target.connectorId] : null),
  })
  function isLasting(resolution: Resolution): resolution is Extract<Resolution, { kind: 'usable' }> {
    if (resolution.kind !== 'usable') return false
    const { expiresAt, isRefreshable } = resolution.target
    return !isRefreshable || expiresAt === null || expiresAt.getTime() > nowMs() + renewalMs
  }
  changes.subscribe({
    onChange: ({ kind, ids: [connectorId = ''] }) => {
      if (kind === 'connector' || kind === 'connection' || kind === 'grant') known.forget(connectorId)
    },
    onLost: known.clear,
    onLive: known.clear,
  })
  return {
    resolve(principal, connectorId) {
      // of this credential: the same principal may have another one that may do more
      requireScope(principal, 'connectors:proxy')
      const read = () => resolveUpstream(principal, connectorId)
      const resolution = known.get(callerPlace(principal, connectorId), read)
      return resolution instanceof Promise || isLasting(resolution) ? resolution : read()
    },
    forget: known.forget,
  }
}
