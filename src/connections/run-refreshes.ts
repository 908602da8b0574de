import { addMs, type Clock } from '../kernel/clock.ts'
import type { Limit } from '../kernel/limit.ts'
import type { RefreshMetrics } from '../metrics/refresh-metrics.ts'
import { isRenewable } from './connection.ts'
import type { DueReference, DueStore } from './due-store.ts'
import type { ExpireAccess } from './expire-access.ts'
import type { IssuerKeeper, Places } from './issuer-keeper.ts'
import type { Leased, LeaseKeeper } from './lease-keeper.ts'
import type { ReachFaultPoint, RefreshResult } from './refresh-result.ts'
import type { RenewLeased } from './renew-leased.ts'

export type RunTimings = {
  /** How long one run goes on while there is more to do, so that other issuers get their turn. */
  readonly budgetMs: number
  /** For how long ahead connections are leased at most. */
  readonly aheadMs: number
}

type Deps = {
  readonly due: Pick<DueStore, 'release'>
  readonly issuers: Pick<IssuerKeeper, 'takePlaces'>
  readonly leases: Pick<LeaseKeeper, 'take' | 'takeDue' | 'takeCutOff' | 'giveBack'>
  readonly renewLeased: RenewLeased
  readonly expireAccess: ExpireAccess
  readonly reach: ReachFaultPoint
  /** Refreshes under way at once in this process, whatever their issuers. */
  readonly limit: Limit
  readonly clock: Clock
  readonly monotonic: () => number
  readonly metrics: Pick<RefreshMetrics, 'began'>
  readonly onMistake: (leased: Leased, error: unknown) => void
  readonly timings: RunTimings
}

export type RefreshRun = { readonly issuer: string; readonly references: readonly DueReference[] }

export type RunReport = {
  /** How many ended how. */
  readonly ended: Readonly<Partial<Record<RefreshResult['kind'] | 'mistake', number>>>
  /** Whether the issuer has, or may have, more that is due. */
  readonly hasMore: boolean
}

const maxChunk = 50
/** How many each slot gets ahead, as long as nobody knows how fast the server answers. */
const firstAhead = 4
/** How often a run looks for refreshes that a dead process left half done, and which go before all others. */
const lookMs = 1000
/** A job knows which version it was made for; a new grant begins at version 0 again, and is renewed all the same. */
const anyEpoch = (reference: DueReference) => ({ ...reference, grantEpoch: null })

/**
 * What a refresh job does: renews the connections that it names, and goes on with others of the same issuer that are due,
 * as long as there are some and its time lasts. It asks the issuer with as many requests at once as it has slots of it.
 *
 * Connections are leased just before their turn. One that was renewed, disconnected or leased since the job was made is
 * passed over, so a job that is delivered twice is harmless; one that fails in an unforeseen way stops nobody else.
 */
export function createRunRefreshes(deps: Deps) {
  const {
    due,
    issuers,
    leases,
    renewLeased,
    expireAccess,
    reach,
    limit,
    clock,
    monotonic,
    metrics,
    onMistake,
    timings,
  } = deps

  return async ({ issuer, references }: RefreshRun, isStopping: () => boolean = () => false): Promise<RunReport> => {
    const places = await issuers.takePlaces(issuer, Math.max(references.length, 1))
    try {
      // only now: a sweep that found the slots still free would make a job that finds nothing
      await due.release(issuer)
      return places === null ? { ended: {}, hasMore: false } : await run(issuer, references, places, isStopping)
    } finally {
      await places?.leave()
    }
  }

  async function run(
    issuer: string,
    references: readonly DueReference[],
    places: Places,
    isStopping: () => boolean,
  ): Promise<RunReport> {
    const deadline = monotonic() + timings.budgetMs
    const ended: Partial<Record<RefreshResult['kind'] | 'mistake', number>> = {}
    const named = [...references]
    const ready: Leased[] = []
    let hasMore = true
    let refilling: Promise<void> | undefined
    let chunk = Math.min(maxChunk, places.count * firstAhead)
    let lookAt = 0

    const mayGoOn = () => places.mayAsk() && !isStopping() && (named.length > 0 || monotonic() < deadline)

    async function refill(): Promise<void> {
      if (monotonic() >= lookAt) {
        // one for each slot and none ahead: one that waits here when this process dies waits for the length of another lease
        const cutOff = await leases.takeCutOff(issuer, clock.now(), places.count)
        if (cutOff.length < places.count) lookAt = monotonic() + lookMs
        ready.push(...cutOff)
        if (cutOff.length > 0) return
      }
      const size = chunk
      const wanted = named.splice(0, size)
      if (wanted.length > 0) ready.push(...(await leases.take(wanted.map(anyEpoch))))
      else {
        const more = await leases.takeDue(issuer, clock.now(), size)
        hasMore = more.length === size
        ready.push(...more)
      }
    }

    const isMoreToHave = () => named.length > 0 || hasMore

    /** Begins to fetch what comes next, unless that is under way. Who waits for it is told when it fails. */
    function fetchMore(): Promise<void> {
      refilling ??= refill().finally(() => {
        refilling = undefined
      })
      refilling.catch(() => {})
      return refilling
    }

    async function next(): Promise<Leased | undefined> {
      while (mayGoOn()) {
        const leased = ready.shift()
        // ahead of need, so that no slot stands idle while the database answers; never what a dead process left half done
        const isShort = ready.length < places.count && monotonic() < lookAt
        if (leased !== undefined && isShort && isMoreToHave()) void fetchMore()
        if (leased !== undefined) return leased
        if (!isMoreToHave()) return undefined
        await fetchMore()
      }
      return undefined
    }

    /** @param since when the slot became free: what follows is how long each takes here, waiting included */
    async function renewOne(leased: Leased, since: number): Promise<void> {
      const kind = await endOf(leased)
      await reach('before_job_done', leased.connection.id)
      ended[kind] = (ended[kind] ?? 0) + 1
      // servers that answer fast get longer chunks: no lease is held for longer than that ahead of its turn
      const each = Math.max(monotonic() - since, 1)
      chunk = Math.min(maxChunk, Math.max(places.count, Math.floor((timings.aheadMs / each) * places.count)))
    }

    async function lane(): Promise<void> {
      for (;;) {
        const since = monotonic()
        await limit.enter()
        try {
          const leased = await next()
          if (leased === undefined) return
          await renewOne(leased, since)
        } finally {
          limit.leave()
        }
      }
    }

    // each to its end, also when one fails: nobody takes from what is given back, and no slot is left while it is used
    const lanes = await Promise.allSettled(Array.from({ length: places.count }, lane))
    await Promise.allSettled([refilling])
    // what was not got round to: nobody shall have to wait for the lease to run out
    await Promise.all(ready.map((leased) => leases.giveBack(leased)))
    const failure = lanes.find(({ status }) => status === 'rejected')
    if (failure?.status === 'rejected') throw failure.reason
    return { ended, hasMore: hasMore || named.length > 0 }
  }

  async function endOf(leased: Leased): Promise<RefreshResult['kind'] | 'mistake'> {
    try {
      if (isRenewable(leased.connection)) {
        metrics.began('scheduled')
        return (await renewLeased(leased)).kind
      }
      const { accessExpiresAt } = leased.connection
      const soon = addMs(clock.now(), timings.budgetMs)
      await leases.giveBack(leased, accessExpiresAt !== null && accessExpiresAt > soon ? accessExpiresAt : soon)
      await expireAccess(leased.connection)
      return 'not_refreshable'
    } catch (error) {
      // the lease runs out by itself, and the connection is due again then
      onMistake(leased, error)
      return 'mistake'
    }
  }
}

export type RunRefreshes = ReturnType<typeof createRunRefreshes>
