import { callerPlace } from '../access/caller-place.ts'
import { AppError } from '../kernel/app-error.ts'
import { type Clock, msOf } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { ProxyLimits } from './limits.ts'

export type Admission = {
  /** Counts one more call of this principal. @throws AppError `rate_limited` */
  take(principal: Principal): void
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

const windowMs = 10_000

/** How much one principal may ask of this process, and this process of one upstream (PX-17). Each process counts for itself. */
export function createAdmission({ callsPerSecond, callsPerCaller, callsPerUpstream }: Bounds, clock: Clock): Admission {
  const rate = createRate(callsPerSecond, clock)
  const byCaller = createCounts()
  const byUpstream = createCounts()

  return {
    take: (principal) => rate(principal.id),

    enter(principal, connectorId, origin) {
      const caller = byCaller(callerPlace(principal, connectorId))
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

/**
 * Counts calls in windows of ten seconds, which are the same for all callers. Not the limiter of the API: that one answers by a
 * promise, and starts a timer for each caller.
 */
function createRate(callsPerSecond: number, clock: Clock): (key: string) => void {
  const most = callsPerSecond === 0 ? Number.POSITIVE_INFINITY : (callsPerSecond * windowMs) / 1000
  const taken = new Map<string, { calls: number }>()
  const nowMs = msOf(clock)
  let endsAt = 0
  return (key) => {
    const now = nowMs()
    // a clock that was set back must not keep anybody waiting for longer than a window
    if (now >= endsAt || now < endsAt - windowMs) {
      taken.clear()
      endsAt = now + windowMs
    }
    const count = taken.get(key)
    if (count === undefined) taken.set(key, { calls: 1 })
    else if (count.calls < most) count.calls += 1
    else {
      throw new AppError('rate_limited', 'too many calls in a short time', {
        meta: { retryAfterSeconds: Math.ceil((endsAt - now) / 1000), callsPerSecond },
      })
    }
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
