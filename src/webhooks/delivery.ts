import type { ErrorCode } from '../kernel/app-error.ts'
import type { MessageType } from './webhook.ts'

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/**
 * Why an attempt came to nothing: an answer that is no 2xx, no answer, or nothing to send (`event_expired`: the event was
 * deleted before it could be sent).
 */
export type DeliveryError =
  | 'http_status'
  | 'event_expired'
  | Extract<ErrorCode, 'egress_blocked' | 'upstream_unreachable' | 'upstream_timeout' | 'upstream_protocol_error'>

/** One message for one webhook, and how far it got. */
export type Delivery = {
  readonly webhookId: string
  /** Of the event, and of the message: the same however often it is sent, and to whichever webhook. */
  readonly eventId: string
  readonly type: MessageType
  readonly status: DeliveryStatus
  /** Since it was written, or replayed. */
  readonly attempts: number
  /** Null once nothing is to be sent any more. */
  readonly nextAttemptAt: Date | null
  readonly lastAttemptAt: Date | null
  readonly durationMs: number | null
  readonly responseStatus: number | null
  readonly error: DeliveryError | null
  readonly createdAt: Date
}

/** What became of one attempt. */
export type Attempt = {
  readonly at: Date
  readonly durationMs: number
  /** Null when there was no answer. */
  readonly responseStatus: number | null
  /** Null when it arrived. */
  readonly error: DeliveryError | null
  /** What the endpoint asked for with `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number
}
