import type { Attempt, Delivery, DeliveryStatus } from './delivery.ts'
import type { MessageSource } from './message.ts'
import type { DisabledCode, Webhook } from './webhook.ts'

export type NewWebhook = Omit<
  Webhook,
  | 'enabled'
  | 'disabledCode'
  | 'failingSince'
  | 'sealedPreviousSecret'
  | 'previousSecretExpiresAt'
  | 'createdAt'
  | 'updatedAt'
>

export type WebhookChanges = Partial<
  Pick<
    Webhook,
    | 'url'
    | 'description'
    | 'eventTypes'
    | 'enabled'
    | 'disabledCode'
    | 'failingSince'
    | 'sealedSecret'
    | 'sealedPreviousSecret'
    | 'previousSecretExpiresAt'
  >
>

export type WebhookName = Pick<Webhook, 'tenantId' | 'id'>

/** Where webhooks are kept. */
export type WebhookStore = {
  /** Newest first. */
  list(tenantId: string): Promise<Webhook[]>
  find(tenantId: string, id: string): Promise<Webhook | null>
  /** Null when the tenant has `limit` already. */
  create(webhook: NewWebhook, limit: number): Promise<Webhook | null>
  /**
   * Null when there is none.
   *
   * @param seen when given, null as well when somebody has changed the secret since
   */
  update(tenantId: string, id: string, changes: WebhookChanges, seen?: Webhook): Promise<Webhook | null>
  /** With its deliveries. False when there is none. */
  delete(tenantId: string, id: string): Promise<boolean>
  /** Those that are switched on and have something to send at `now`. */
  listDue(now: Date, limit: number): Promise<WebhookName[]>
  noteSuccess(name: WebhookName): Promise<void>
  /**
   * @param pauseMs a pause after which failures count as new ones
   * @returns since when it has been failing
   */
  noteFailure(name: WebhookName, now: Date, pauseMs: number): Promise<Date | null>
  /** Switches off, unless that has been done. */
  disable(name: WebhookName, code: DisabledCode): Promise<boolean>
}

/** A delivery whose time has come, with what it tells of. */
export type DueDelivery = {
  readonly delivery: Delivery
  /** Null for a test, and for an event that is no longer kept. */
  readonly source: MessageSource | null
}

export type DeliveryQuery = { readonly limit: number; readonly before?: string; readonly status?: DeliveryStatus }

/** Where deliveries are kept. They are written with the event itself, in its transaction, by a trigger of the database. */
export type DeliveryStore = {
  /**
   * Takes deliveries whose time has come, the oldest first. Nobody else is given them for `claimMs`; when nothing was
   * recorded by then, they are due again.
   */
  claim(webhook: WebhookName, now: Date, limit: number, claimMs: number): Promise<DueDelivery[]>
  /**
   * What became of an attempt. False, and nothing changed, when the delivery is not as it was when it was claimed.
   *
   * @param nextAttemptAt when it is to be tried again; null: it was the last attempt
   */
  record(delivery: Delivery, attempt: Attempt, nextAttemptAt: Date | null): Promise<boolean>
  /** Newest first. */
  list(webhook: WebhookName, query: DeliveryQuery): Promise<{ items: Delivery[]; totalCount: number; hasMore: boolean }>
  /** Writes a delivery that belongs to no event. */
  addTest(webhook: WebhookName, eventId: string, now: Date): Promise<Delivery>
  /** Has one sent again from the beginning, whatever became of it. Null when there is none. */
  replay(webhook: WebhookName, eventId: string, now: Date): Promise<Delivery | null>
  /**
   * Has sent what did not arrive since then: what failed, and what happened while the webhook was off or did not exist.
   *
   * @returns how many
   */
  replaySince(webhook: WebhookName, since: Date, now: Date): Promise<number>
}
