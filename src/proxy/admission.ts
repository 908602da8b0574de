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
   * @param url of the upstream
   * @returns gives the place back; for calling once
   * @throws AppError `too_many_calls`, `overloaded`
   */
  enter(principal: Principal, connectorId: string, url: string): () => void
}

type Bounds = Pick<ProxyLimits, 'callsPerSecond' | 'callsPerCaller' | 'callsPerUpstream'>

const windowSeconds = 10

/** How much one principal may ask of this process, and this process of one upstream (PX-17). Each process counts for itself. */
export function createAdmission({ callsPerSecond, callsPerCaller, callsPerUpstream }: Bounds): Admission {
  const rate = createRateLimit({ points: callsPerSecond * windowSeconds, seconds: windowSeconds })
  const byCaller = new Map<string, number>()
  const byUpstream = new Map<string, number>()

  return {
    take: (principal) => rate.take(principal.id),

    enter(principal, connectorId, url) {
      const caller = `${principal.id} ${connectorId}`
      const upstream = originOf(url)
      if ((byCaller.get(caller) ?? 0) >= callsPerCaller) {
        throw new AppError('too_many_calls', 'too many calls under way', { meta: { callsPerCaller } })
      }
      // beyond that a call would wait for a socket without anybody knowing for how long: each open stream holds one
      if ((byUpstream.get(upstream) ?? 0) >= callsPerUpstream) {
        throw new AppError('overloaded', 'no socket to the upstream is free', { meta: { callsPerUpstream } })
      }
      increase(byCaller, caller)
      increase(byUpstream, upstream)
      return () => {
        decrease(byCaller, caller)
        decrease(byUpstream, upstream)
      }
    },
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function decrease(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 0) - 1
  if (count > 0) counts.set(key, count)
  else counts.delete(key)
}

/** Scheme, host and port of a URL as the URL standard writes it, cheaper than parsing it. */
function originOf(url: string): string {
  const pathAt = url.indexOf('/', url.indexOf('//') + 2)
  return pathAt === -1 ? url : url.slice(0, pathAt)
}
