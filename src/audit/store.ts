import type { Event } from './event.ts'

export type EventQuery = { readonly limit: number; readonly before?: string }

/** Where events are read. They are written with the change that they tell of, in its transaction. */
export type EventStore = {
  /** Newest first; only of connections in `connectionIds` and of the connector itself. */
  list(
    tenantId: string,
    connectorId: string,
    connectionIds: readonly string[],
    query: EventQuery,
  ): Promise<{ items: Event[]; totalCount: number; hasMore: boolean }>
}
