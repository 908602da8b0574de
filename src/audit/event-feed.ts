import type { Changes } from '../kernel/changes.ts'
import type { EventPlace } from './event-place.ts'
import { formatPlace } from './event-place.ts'
import type { EventStore, FollowedEvents } from './store.ts'

export type FeedTimings = {
  /** How often there is a look without being told: for events that nobody announces, and while announcements are lost. */
  readonly pollMs: number
  /** How soon there is another look while events are held back. */
  readonly heldBackMs: number
}

type Deps = {
  readonly events: Pick<EventStore, 'listAfter'>
  readonly changes: Changes
  readonly timings: FeedTimings
}

/** The events of one tenant, as they come. */
export type Feed = {
  /** What comes after a place; waits for it, until `signal` is aborted (then: nothing). */
  next(place: EventPlace, signal: AbortSignal): Promise<FollowedEvents['items']>
  close(): void
}

export type EventFeed = { open(tenantId: string): Feed }

type Tenant = {
  followers: number
  /** +1 whenever there may be something new: what was read before that says nothing about it. */
  version: number
  readonly reads: Map<string, Promise<FollowedEvents>>
  readonly waiting: Set<() => void>
  timer: NodeJS.Timeout | undefined
}

const batchSize = 200

/**
 * Hands the events of a tenant to everybody who follows them. All who stand at the same place share one query, so that a
 * hundred followers ask no more often than one.
 */
export function createEventFeed({ events, changes, timings }: Deps): EventFeed {
  const tenants = new Map<string, Tenant>()
  let isListening = false

  function wake(tenant: Tenant): void {
    tenant.version += 1
    tenant.reads.clear()
    clearTimeout(tenant.timer)
    tenant.timer = undefined
    const waiting = [...tenant.waiting]
    tenant.waiting.clear()
    for (const resolve of waiting) resolve()
  }

  const wakeAll = () => {
    for (const tenant of tenants.values()) wake(tenant)
  }

  function listen(): void {
    if (isListening) return
    isListening = true
    changes.subscribe({
      onChange: ({ kind, ids: [tenantId = ''] }) => {
        const tenant = kind === 'event' ? tenants.get(tenantId) : undefined
        if (tenant !== undefined) wake(tenant)
      },
      onLive: wakeAll,
      onLost: wakeAll,
    })
  }

  function read(tenantId: string, tenant: Tenant, place: EventPlace): Promise<FollowedEvents> {
    const key = formatPlace(place)
    const shared = tenant.reads.get(key)
    if (shared !== undefined) return shared
    const reading = events.listAfter(tenantId, place, batchSize)
    tenant.reads.set(key, reading)
    const forget = () => {
      if (tenant.reads.get(key) === reading) tenant.reads.delete(key)
    }
    reading.then(forget, forget)
    return reading
  }

  function wait(tenant: Tenant, seen: number, ms: number, signal: AbortSignal): Promise<void> {
    if (tenant.version !== seen || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        tenant.waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      tenant.waiting.add(done)
      signal.addEventListener('abort', done)
      // one clock for all who wait
      tenant.timer ??= setTimeout(() => wake(tenant), ms)
    })
  }

  return {
    open(tenantId) {
      const tenant = tenants.get(tenantId) ?? {
        followers: 0,
        version: 0,
        reads: new Map(),
        waiting: new Set(),
        timer: undefined,
      }
      tenants.set(tenantId, tenant)
      tenant.followers += 1
      listen()
      let isOpen = true
      return {
        async next(place, signal) {
          while (!signal.aborted) {
            const seen = tenant.version
            const { items, isHeldBack } = await read(tenantId, tenant, place)
            if (items.length > 0) return items
            await wait(tenant, seen, isHeldBack ? timings.heldBackMs : timings.pollMs, signal)
          }
          return []
        },
        close() {
          if (!isOpen) return
          isOpen = false
          tenant.followers -= 1
          if (tenant.followers > 0) return
          clearTimeout(tenant.timer)
          tenants.delete(tenantId)
        },
      }
    },
  }
}
