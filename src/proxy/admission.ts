import { createRateLimit } from '../access/rate-limit.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { ProxyLimits } from './limits.ts'

export type Admission = {
  /** Counts one more call of this principal. @throws AppError `rate_limited` */
  take(principal: Principal): Promise<void>
  /**
   * Gives the call its place among those under way, of its principal at this connector and of everybody at the upstream.
   *
   * @param origin of the upstream
   * @returns gives the place back; for calling once
   * @throws AppError `too_many_calls`, `overloaded`
   */
  enter(principal: Principal, connectorId: string, origin: string): () => void
}

type Bounds = Pick<ProxyLimits, 'callsPerSecond' | 'callsPerCaller' | 'callsPerUpstream'>

const windowSeconds = 10

/** How much one principal may ask of this process, and this process of one upstream (PX-17). Each process counts for itself. */
export function createAdmission({ callsPerSecond, callsPerCaller, callsPerUpstream }: Bounds): Admission {
  const rate = createRateLimit({ points: callsPerSecond * windowSeconds, seconds: windowSeconds })
  const byCaller = createCounts()
  const byUpstream = createCounts()

  return {
    take: (principal) => rate.take(principal.id),

    enter(principal, connectorId, origin) {
      const caller = byCaller(`${principal.id} ${connectorId}`)
      const upstream = byUpstream(origin)
      if (caller.underWay >= callsPerCaller) {
        throw new AppError('too_many_calls', 'too many calls under way', { meta: { callsPerCaller } })
      }
      // beyond that a call would wait for a socket without anybody knowing for how long: each open stream holds one
      if (upstream.underWay >= callsPerUpstream) {
        throw new AppError('overloaded', 'no socket to the upstream is free', { meta: { callsPerUpstream } })
      }
      caller.underWay += 1
      upstream.underWay += 1
      return () => {
        caller.underWay -= 1
        upstream.underWay -= 1
      }
    },
  }
}

type Count = { underWay: number }

const fewCounts = 1000

/**
 * Counts by key. Those at zero stay a while: a Map that sees each call come and go is rehashed every few calls, and its
 * discarded tables live long.
 */
function createCounts(): (key: string) => Count {
  const counts = new Map<string, Count>()
  let tidiedAt = fewCounts
  return (key) => {
    const known = counts.get(key)
    if (known !== undefined) return known
    if (counts.size >= tidiedAt) {
      for (const [each, { underWay }] of counts) if (underWay === 0) counts.delete(each)
      tidiedAt = Math.max(fewCounts, 2 * counts.size)
    }
    const fresh = { underWay: 0 }
    counts.set(key, fresh)
    return fresh
  }
}
