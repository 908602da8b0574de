import type { Event, EventType } from '../audit/event.ts'
import type { EventFeed } from '../audit/event-feed.ts'
import type { EventPlace } from '../audit/event-place.ts'
import type { EventStore, FollowedEvent } from '../audit/store.ts'
import type { Timings } from '../config/timings.ts'
import { isManageable, isVisible, type Owned } from '../connectors/visibility.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import type { AnnouncingMetrics } from '../metrics/announcing-metrics.ts'
import type { Connection } from './connection.ts'
import { isConnectable } from './whose-connection.ts'

type Deps = {
  readonly events: EventStore
  readonly feed: EventFeed
  readonly clock: Clock
  readonly timings: Timings['eventStream']
  /** How many streams one principal may have open, in this process. */
  readonly maxStreams: number
  readonly metrics: AnnouncingMetrics
}

export type WatchRequest = {
  /** Read on after this place. Default: from now on. */
  readonly after?: EventPlace
  /** Default: every type. */
  readonly types?: readonly EventType[]
  readonly connectorId?: string
  /** Ends the stream. */
  readonly signal: AbortSignal
  /** Who is asking, found out anew. Throws when the credentials no longer hold. */
  confirm(): Promise<Principal>
}

/** An event that the principal may see, or the news that up to this place there was none. */
export type Watched = { readonly place: EventPlace; readonly event: Event | null }

export type WatchEvents = ReturnType<typeof createWatchEvents>

/**
 * Live streams of what happens to the connectors that a principal may see: none is left out and none comes twice, from the
 * place that the stream begins at.
 *
 * A stream ends by itself when its credentials no longer hold, when it is old, and when the process ends.
 */
export function createWatchEvents({ events, feed, clock, timings, maxStreams, metrics }: Deps) {
  const open = new Map<string, number>()
  const enders = new Set<() => void>()
  let isEnding = false

  /** @throws AppError `too_many_streams` */
  async function* watch(first: Principal, request: WatchRequest): AsyncGenerator<Watched> {
    const count = open.get(first.id) ?? 0
    if (count >= maxStreams) throw new AppError('too_many_streams', 'too many event streams of one principal')
    open.set(first.id, count + 1)
    metrics.streamOpened()
    const tenant = feed.open(first.tenantId)
    const { stopping, stop } = stopWith(request.signal)
    enders.add(stop)
    if (isEnding) stop()
    try {
      const end = await events.findEnd()
      let place = request.after === undefined ? end : knownPlace(request.after, end)
      // before anything happens: whoever is cut off now can come back to this place
      yield { place, event: null }
      let principal = first
      const now = () => clock.now().getTime()
      const startedAt = now()
      let confirmedAt = startedAt
      let sentAt = startedAt
      while (!stopping.aborted && now() - startedAt < timings.lifeMs) {
        const items = await within(timings.confirmMs, stopping, (signal) => tenant.next(place, signal))
        if (now() - confirmedAt >= timings.confirmMs) {
          principal = await request.confirm()
          confirmedAt = now()
        }
        for (const item of items) {
          place = item.place
          if (!isWanted(item, request) || !isSeenBy(principal, item)) continue
          sentAt = now()
          yield { place, event: item.event }
        }
        if (now() - sentAt < timings.keepAliveMs) continue
        sentAt = now()
        yield { place, event: null }
      }
    } finally {
      metrics.streamClosed()
      tenant.close()
      enders.delete(stop)
      request.signal.removeEventListener('abort', stop)
      const left = (open.get(first.id) ?? 1) - 1
      if (left > 0) open.set(first.id, left)
      else open.delete(first.id)
    }
  }

  return {
    watch,
    /** Ends every stream; those who come later are ended as soon as they have begun. */
    endAll: () => {
      isEnding = true
      for (const stop of enders) stop()
    },
  }
}

/** A signal that is aborted with `outer`, or by `stop`. */
function stopWith(outer: AbortSignal) {
  const controller = new AbortController()
  const stop = () => controller.abort()
  if (outer.aborted) stop()
  outer.addEventListener('abort', stop)
  return { stopping: controller.signal, stop }
}

/** Does `work`, with a signal that is aborted after `ms` milliseconds, or with `outer`. */
async function within<T>(ms: number, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { stopping, stop } = stopWith(outer)
  const timer = setTimeout(stop, ms)
  try {
    return await work(stopping)
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', stop)
  }
}

/** No place of ours lies behind the end: such a one is from before the database was moved to another cluster. */
function knownPlace(place: EventPlace, end: EventPlace): EventPlace {
  return place.xid > end.xid ? { xid: 0n, id: place.id } : place
}

function isWanted({ event }: FollowedEvent, { types, connectorId }: WatchRequest): boolean {
  return (
    (types === undefined || types.includes(event.type)) &&
    (connectorId === undefined || event.connectorId === connectorId)
  )
}

/** What the principal may see of connector and connection, it may see of their events. */
function isSeenBy(principal: Principal, { event, ...of }: FollowedEvent): boolean {
  if (of.connector === null) return false
  const connector = of.connector as Owned
  if (!isVisible(principal, connector)) return false
  if (event.connectionId === null) return true
  const connection = of.connection as Pick<Connection, 'scope' | 'subjectId'> | null
  if (connection === null) return isManageable(principal, connector)
  return connection.scope === 'tenant' || isConnectable(principal, connector, connection)
}
