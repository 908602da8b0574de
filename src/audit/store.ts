import type { Event } from './event.ts'
import type { EventPlace } from './event-place.ts'

export type EventQuery = { readonly limit: number; readonly before?: string }

/** An event as those who follow events get it: with what says who may see it. */
export type FollowedEvent = {
  readonly event: Event
  readonly place: EventPlace
  /** Null when it was deleted since. */
  readonly connector: { readonly tenantId: string; readonly ownerKind: string; readonly ownerId: string } | null
  /** Null when it was deleted since, and when the event is the connector's own. */
  readonly connection: { readonly scope: string; readonly subjectId: string } | null
}

export type FollowedEvents = {
  readonly items: readonly FollowedEvent[]
  /** There are more, which cannot be handed out yet: a transaction that began before them has not ended. */
  readonly isHeldBack: boolean
}

/** Where events are read. They are written with the change that they tell of, in its transaction. */
export type EventStore = {
  /** Newest first; only of connections in `connectionIds` and of the connector itself. */
  list(
    tenantId: string,
    connectorId: string,
    connectionIds: readonly string[],
    query: EventQuery,
  ): Promise<{ items: Event[]; totalCount: number; hasMore: boolean }>
  /** Where to begin for what happens from now on. */
  findEnd(): Promise<EventPlace>
  /**
   * What comes after a place, in the order of places. Nothing is ever added before what was handed out: events of
   * transactions that may still commit, and all that come after those, wait.
   */
  listAfter(tenantId: string, place: EventPlace, limit: number): Promise<FollowedEvents>
}
