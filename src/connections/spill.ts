import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { Clock } from '../kernel/clock.ts'
import type { Background } from '../log/background.ts'
import type { RefreshMetrics } from '../metrics/refresh-metrics.ts'
import type { Connection } from './connection.ts'
import type { LeaseStore } from './lease-store.ts'
import { type RenewedGrant, renewalChanges } from './renewed-grant.ts'

/** Where results wait that the database could not take. Texts by name; secrets in them are sealed. */
export type SpillPlace = {
  /** Resolves when it would survive the end of this process. */
  put(name: string, text: string): Promise<void>
  get(name: string): Promise<string | null>
  names(): Promise<string[]>
  remove(name: string): Promise<void>
}

export type Spill = {
  /** How many results of this process wait for the database. */
  pending(): number
  /**
   * Stores a new grant; what the database cannot take, or not soon, is kept until it can.
   *
   * @returns the stored connection; null when somebody else was first; `spilled` when it is kept elsewhere for now
   */
  persist(seen: Connection, grant: RenewedGrant): Promise<Connection | null | 'spilled'>
  /** Stores what is kept for this very grant and version. True when there was something: read the connection again. */
  adopt(seen: Pick<Connection, 'id' | 'tenantId' | 'grantEpoch' | 'tokenVersion'>): Promise<boolean>
  /** Whether this process itself keeps a result of this connection, which must be stored before anything else is tried. */
  holds(connectionId: string): boolean
  /** Stores what processes before this one left behind. Goes on in the background until all of it is stored. */
  replay(): void
  /** Waits until everything is stored, for `ms` at most, and then gives up. True when it is. */
  drain(ms: number): Promise<boolean>
}

type Deps = {
  readonly leases: Pick<LeaseStore, 'settle'>
  /** The lease owner of this process. */
  readonly owner: string
  /** Best first. */
  readonly places: readonly SpillPlace[]
  readonly background: Background
  readonly clock: Clock
  readonly metrics: Pick<RefreshMetrics, 'spilled'>
}

const key = z.object({
  id: z.uuid(),
  tenantId: z.uuid(),
  grantEpoch: z.int().min(0),
  tokenVersion: z.int().min(0),
})
const time = z.iso.datetime().transform((text) => new Date(text))
const kept = z.object({
  key,
  grant: z.object({
    tokenVersion: z.int().min(1),
    accessExpiresAt: time.nullable(),
    accessLifetimeSeconds: z.int().nullable(),
    reauthBy: time.nullable(),
    nextRefreshAt: time,
    scopes: z.array(z.string()),
    sealedAccessToken: z.string(),
    sealedRefreshToken: z.string().nullable(),
  }),
})
type Key = z.output<typeof key>
type Kept = { readonly key: Key; readonly grant: RenewedGrant }

const firstRetryMs = 200
/** What the database has not taken by then is put away as well: the lease may run out while it makes up its mind. */
const slowMs = 2000
const maxRetryMs = 2000
const nameOf = ({ id, grantEpoch, tokenVersion }: Key) => `${id}.${grantEpoch}.${tokenVersion}`

/**
 * Keeps the results of refreshes that the database cannot take: a refresh token that was rotated exists nowhere else. Sealed,
 * they stay in memory, and in each place that survives the process; they are stored as soon as the database is back.
 */
export function createSpill({ leases, owner, places, background, clock, metrics }: Deps): Spill {
  const memory = new Map<string, Kept>()
  let isRetrying = false
  let isLeftBehind = false
  let isClosed = false

  /** One attempt. @throws what the database throws */
  const store = (seen: Key, grant: RenewedGrant) =>
    leases.settle(seen as Connection, owner, {
      changes: renewalChanges(grant, clock.now()),
      event: { type: 'connector.refreshed', class: 'ok' },
      refreshStartedAt: null,
      isHolderOnly: false,
    })

  /** Whether it was stored or overtaken: either way it is done with. */
  async function settleKept(one: Kept): Promise<void> {
    await store(one.key, one.grant)
    memory.delete(nameOf(one.key))
    await takeBack(one)
  }

  async function keepSafe(one: Kept): Promise<void> {
    memory.set(nameOf(one.key), one)
    metrics.spilled()
    await putAway(one)
    retry()
  }

  /** Where each can: a file may lie on a disk that goes with the container, a Redis may be empty after a restart. */
  async function putAway(one: Kept): Promise<void> {
    const text = JSON.stringify(one)
    await Promise.allSettled(places.map((place) => place.put(nameOf(one.key), text)))
  }

  async function takeBack({ key }: Kept): Promise<void> {
    for (const place of places) await place.remove(nameOf(key)).catch(() => undefined)
  }

  /** Tries again and again, until nothing is left. */
  function retry(): void {
    if (isRetrying) return
    isRetrying = true
    background.run('store what was spilled', async () => {
      let waitMs = firstRetryMs
      while (!isClosed && (memory.size > 0 || isLeftBehind)) {
        await delay(waitMs, undefined, { ref: false })
        waitMs = Math.min(waitMs * 2, maxRetryMs)
        try {
          if (isLeftBehind) await settleLeftBehind()
          for (const one of [...memory.values()]) await settleKept(one)
        } catch {
          // the database is still out of reach
        }
      }
      isRetrying = false
    })
  }

  async function settleLeftBehind(): Promise<void> {
    for (const place of places) {
      for (const name of await place.names()) {
        const one = readKept(await place.get(name))
        if (one !== null && nameOf(one.key) === name) await settleKept(one)
      }
    }
    isLeftBehind = false
  }

  async function find(name: string): Promise<Kept | null> {
    const own = memory.get(name)
    if (own !== undefined) return own
    for (const place of places) {
      const text = await place.get(name).catch(() => null)
      const one = readKept(text)
      if (one !== null && nameOf(one.key) === name) return one
    }
    return null
  }

  return {
    pending: () => memory.size,

    async persist(seen, grant) {
      const { id, tenantId, grantEpoch, tokenVersion } = seen
      const one: Kept = { key: { id, tenantId, grantEpoch, tokenVersion }, grant }
      let putting: Promise<unknown> | undefined
      const timer = setTimeout(() => {
        putting = putAway(one)
      }, slowMs)
      try {
        const stored = await store(seen, grant)
        await putting
        if (putting !== undefined) await takeBack(one)
        return stored
      } catch {
        await keepSafe(one)
        return 'spilled'
      } finally {
        clearTimeout(timer)
      }
    },

    async adopt({ id, tenantId, grantEpoch, tokenVersion }) {
      const one = await find(nameOf({ id, tenantId, grantEpoch, tokenVersion }))
      if (one === null || one.key.tenantId !== tenantId) return false
      await settleKept(one)
      return true
    },

    holds: (connectionId) => [...memory.keys()].some((name) => name.startsWith(`${connectionId}.`)),

    replay() {
      if (places.length === 0) return
      isLeftBehind = true
      retry()
    },

    async drain(ms) {
      const deadline = AbortSignal.timeout(ms)
      while (memory.size > 0 && !deadline.aborted) await delay(50)
      isClosed = true
      return memory.size === 0
    },
  }
}

/** What does not parse is of no use to anybody, and stays where it is for somebody to look at. */
function readKept(text: string | null): Kept | null {
  if (text === null) return null
  try {
    return kept.parse(JSON.parse(text))
  } catch {
    return null
  }
}
