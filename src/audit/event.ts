export const eventTypes = [
  'connector.created',
  'connector.updated',
  'connector.connected',
  'connector.auth_required',
  'connector.disconnected',
  'connector.refreshed',
  'connector.refresh_failed',
  'connector.step_up_failed',
] as const
export type EventType = (typeof eventTypes)[number]

/** Something that happened to a connector, and why. Never holds upstream text or a secret. */
export type Event = {
  readonly id: string
  readonly tenantId: string
  readonly connectorId: string
  readonly connectionId: string | null
  readonly type: EventType
  /** A stable code where the type has several causes. */
  readonly code: string | null
  /** Of a refresh: the class of its outcome, as `connections/refresh-outcomes.ts` lists them. */
  readonly class: string | null
  /** A sentence for people. */
  readonly detail: string | null
  /** The principal who did it; null for Patchbay itself. */
  readonly actorId: string | null
  readonly at: Date
}

/** What a change says about itself; the store adds the rest. */
export type NewEvent = {
  readonly type: EventType
  readonly code?: string
  readonly class?: string
  readonly detail?: string
  readonly actorId?: string
}
