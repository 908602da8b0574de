import type { Clock } from '../kernel/clock.ts'
import type { LeasedRow, LeaseReference, LeaseStore } from './lease-store.ts'

/** The right to refresh one connection, as this process knows it. */
export type Lease = {
  /**
   * True while the lease surely lasts, by our own clocks. A process that was suspended, or whose event loop stood still, finds
   * out here before it spends a token that is somebody else's by now.
   */
  isHeld(): boolean
  /** True while so much of it is left that a token request ends before it does, even if it cannot be prolonged meanwhile. */
  isFresh(): boolean
}

export type Leased = LeasedRow & { readonly lease: Lease }

export type LeaseTimings = {
  /** How long a lease lasts without a heartbeat. */
  readonly leaseMs: number
  readonly heartbeatMs: number
  /** How long before its end by the database's clock a lease counts as over here. */
  readonly safetyMs: number
  /** For how long after it was granted or prolonged a lease is fresh. */
  readonly freshMs: number
}

type Deps = {
  readonly leases: LeaseStore
  readonly clock: Clock
  /** Milliseconds that only grow. */
  readonly monotonic: () => number
  readonly owner: string
  readonly timings: LeaseTimings
}

export type LeaseKeeper = {
  /** Who holds the leases of this process. */
  readonly owner: string
  /** Takes what can be had of these, in one statement. What is missing from the result is held by somebody else, or moved on. */
  take(references: readonly LeaseReference[]): Promise<Leased[]>
  /** The same for up to `limit` connections of an issuer that are due at `now`. */
  takeDue(issuer: string, now: Date, limit: number): Promise<Leased[]>
  /** The same for those of them whose last refresh has no known end. */
  takeCutOff(issuer: string, now: Date, limit: number): Promise<Leased[]>
  /**
   * Makes sure of a lease before a token is spent: prolongs it, where it is no longer fresh.
   *
   * @returns false when it is lost, or the database cannot say: nothing must be sent then
   */
  secure(leased: Leased): Promise<boolean>
  /** Gives a lease back without anything having been tried; the connection is due at `dueAt`, or at once. */
  giveBack(leased: Leased, dueAt?: Date): Promise<void>
  /** Stops prolonging a lease that was given back, or no longer matters. */
  forget(leased: Leased): void
  /** Stops the heartbeat. Leases that are still held run out by themselves. */
  close(): void
}

type Kept = { readonly lease: Lease; prolong(sentAt: Instant): void; end(): void }
type Instant = { readonly monotonic: number; readonly wall: number }

/**
 * Keeps the leases of a process alive: one owner, and one heartbeat statement for all of them.
 *
 * Each lease has a horizon of our own, counted from before the statement that granted or prolonged it was sent, so it is
 * never later than the database's. Two clocks count: the monotonic one stands still while a machine sleeps, the other
 * jumps; whichever says that more time has passed is believed.
 */
export function createLeaseKeeper({ leases, clock, monotonic, owner, timings }: Deps): LeaseKeeper {
  const kept = new Map<string, Kept>()
  let timer: NodeJS.Timeout | undefined
  let retryTimer: NodeJS.Timeout | undefined
  let isBeating = false

  const instant = (): Instant => ({ monotonic: monotonic(), wall: clock.now().getTime() })

  function keep(sentAt: Instant): Kept {
    let since: Instant | null = sentAt
    const isYoungerThan = (ms: number): boolean => {
      if (since === null) return false
      const now = instant()
      return Math.max(now.monotonic - since.monotonic, now.wall - since.wall) < ms
    }
    return {
      lease: {
        isHeld: () => isYoungerThan(timings.leaseMs - timings.safetyMs),
        isFresh: () => isYoungerThan(timings.freshMs),
      },
      prolong(at) {
        since = at
      },
      end() {
        since = null
      },
    }
  }

  async function beat(): Promise<void> {
    if (isBeating || kept.size === 0) return
    isBeating = true
    clearTimeout(retryTimer)
    try {
      await prolong(new Map(kept))
    } catch {
      // the database is out of reach, or slow: the horizons stay where they are, and pass if it stays so
      retryTimer = setTimeout(() => void beat(), timings.heartbeatMs / 5).unref()
    } finally {
      isBeating = false
    }
  }

  async function prolong(some: ReadonlyMap<string, Kept>): Promise<void> {
    const sentAt = instant()
    const renewed = new Set(await leases.renewLeases([...some.keys()], owner, timings.leaseMs))
    for (const [id, one] of some) {
      if (renewed.has(id)) one.prolong(sentAt)
      else one.end()
    }
  }

  function watch(): void {
    if (kept.size > 0 && timer === undefined) {
      timer = setInterval(() => void beat(), timings.heartbeatMs)
      timer.unref()
    } else if (kept.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }

  async function keepAll(lease: () => Promise<LeasedRow[]>): Promise<Leased[]> {
    const sentAt = instant()
    const taken = (await lease()).map((row) => {
      const one = keep(sentAt)
      kept.get(row.connection.id)?.end()
      kept.set(row.connection.id, one)
      return { ...row, lease: one.lease }
    })
    watch()
    return taken
  }

  function forget({ connection, lease }: Leased): void {
    const one = kept.get(connection.id)
    if (one?.lease !== lease) return
    one.end()
    kept.delete(connection.id)
    watch()
  }

  return {
    owner,

    async take(references) {
      return references.length === 0 ? [] : keepAll(() => leases.takeLeases(references, owner, timings.leaseMs))
    },

    takeDue: (issuer, now, limit) =>
      keepAll(() => leases.takeDueLeases({ issuer, now, limit }, owner, timings.leaseMs)),

    takeCutOff: (issuer, now, limit) =>
      keepAll(() => leases.takeCutOffLeases({ issuer, now, limit }, owner, timings.leaseMs)),

    async secure({ connection, lease }) {
      if (!lease.isHeld()) return false
      if (lease.isFresh()) return true
      const one = kept.get(connection.id)
      if (one?.lease !== lease) return false
      try {
        await prolong(new Map([[connection.id, one]]))
      } catch {
        return false
      }
      return lease.isHeld()
    },

    async giveBack(leased, dueAt) {
      forget(leased)
      await leases.giveBack(leased, owner, dueAt)
    },

    forget,

    close() {
      clearInterval(timer)
      clearTimeout(retryTimer)
      timer = undefined
    },
  }
}
