import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../kernel/clock.ts'
import { addMs } from '../kernel/clock.ts'
import type { RefreshMetrics } from '../metrics/refresh-metrics.ts'
import { type Connection, isRenewable } from './connection.ts'
import type { IssuerGate } from './issuer-gate.ts'
import type { Leased, LeaseKeeper } from './lease-keeper.ts'
import type { LeaseStore } from './lease-store.ts'
import { mustWaitItsTurn } from './refresh-outcomes.ts'
import type { RefreshResult } from './refresh-result.ts'
import type { RenewLeased } from './renew-leased.ts'
import type { Spill } from './spill.ts'
import type { ConnectionStore } from './store.ts'

export type WaitTimings = {
  /** How long others wait for the holder's result. */
  readonly waitMs: number
  /** How often they look: at first, and at most. */
  readonly pollMs: number
  readonly maxPollMs: number
}

export type RefreshOptions = {
  /** At a person's word: also while the connection waits for its next scheduled attempt. */
  readonly isForced?: boolean
}

type Deps = {
  readonly connections: Pick<ConnectionStore, 'find'>
  readonly leases: Pick<LeaseStore, 'giveBack'>
  readonly keeper: LeaseKeeper
  readonly renewLeased: RenewLeased
  readonly gate: IssuerGate
  readonly spill: Spill
  readonly clock: Clock
  readonly random: () => number
  readonly metrics: RefreshMetrics
  readonly timings: WaitTimings
}

/**
 * The one way in which somebody who waits gets a grant renewed: a call that was refused, a connect, a person, a job for one
 * connection. (A run over many leases them in batches and calls `renewLeased` itself.)
 *
 * One attempt at a time: coalesced inside the process, and across processes by a lease in PostgreSQL that is taken before
 * the refresh token is spent, which also proves that the database can be written to. Everybody else waits and adopts the
 * holder's result; when the holder dies, one of them takes over. A result that waits for the database comes before all else.
 */
export function createRefreshConnection(deps: Deps) {
  const { connections, leases, keeper, renewLeased, gate, spill, clock, random, metrics, timings } = deps
  const inFlight = new Map<string, Promise<RefreshResult>>()

  return (seen: Connection, options: RefreshOptions = {}): Promise<RefreshResult> => {
    const key = `${seen.id}:${seen.grantEpoch}`
    const running = inFlight.get(key)
    if (running !== undefined) return running
    const attempt = refresh(seen, options).finally(() => inFlight.delete(key))
    inFlight.set(key, attempt)
    return attempt
  }

  async function refresh(seen: Connection, { isForced = false }: RefreshOptions): Promise<RefreshResult> {
    if (!isRenewable(seen)) return { kind: 'not_refreshable' }
    if (!isForced && mustWaitItsTurn(seen, clock.now())) {
      return { kind: 'transient', connection: seen, retryAt: seen.nextRefreshAt }
    }
    if (spill.holds(seen.id)) await spill.adopt(seen)
    const startedAt = performance.now()
    const deadline = addMs(clock.now(), timings.waitMs)
    for (let pollMs = timings.pollMs; ; pollMs = Math.min(pollMs * 2, timings.maxPollMs)) {
      const [leased] = await keeper.take([seen])
      if (leased !== undefined) return throughGate(leased)
      const result = await adopt(seen)
      if (result !== null || clock.now() >= deadline) {
        metrics.waitedForLease(performance.now() - startedAt)
        return counted(result ?? { kind: 'busy' })
      }
      await delay(pollMs * (0.75 + random() / 2))
    }
  }

  /** With the lease in hand: asks for a place at the authorization server. */
  async function throughGate(leased: Leased): Promise<RefreshResult> {
    const { connection } = leased
    const ticket = await enter(leased)
    if ('pausedUntil' in ticket) {
      keeper.forget(leased)
      metrics.finished('paused')
      await leases.giveBack(leased, keeper.owner, ticket.pausedUntil)
      return { kind: 'transient', connection, retryAt: ticket.pausedUntil }
    }
    metrics.began('awaited')
    try {
      return await renewLeased(leased)
    } finally {
      await ticket.leave()
    }
  }

  async function enter(leased: Leased) {
    try {
      return await gate.enter(leased.connection.issuer ?? '')
    } catch (error) {
      keeper.forget(leased)
      throw error
    }
  }

  function counted<Result extends RefreshResult>(result: Result): Result {
    if (result.kind === 'adopted' || result.kind === 'busy' || result.kind === 'ended') metrics.finished(result.kind)
    return result
  }

  /** What the holder of the lease has come to; null: nothing yet. */
  async function adopt(seen: Connection): Promise<RefreshResult | null> {
    const current = await connections.find(seen.tenantId, seen.id)
    if (current === null || current.grantEpoch !== seen.grantEpoch) return { kind: 'ended' }
    if (current.tokenVersion > seen.tokenVersion) {
      return { kind: 'adopted', connection: current }
    }
    if (current.failCount > seen.failCount) {
      return { kind: 'transient', connection: current, retryAt: current.nextRefreshAt }
    }
    return null
  }
}

export type RefreshConnection = ReturnType<typeof createRefreshConnection>
