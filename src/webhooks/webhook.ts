import { eventTypes } from '../audit/event.ts'

/**
 * What webhooks are told of: everything but refreshes that worked, of which there are too many to be news. The trigger
 * `publish_event` (prisma/migrations) leaves out the same one.
 */
export const webhookEventTypes = eventTypes.filter((type) => type !== 'connector.refreshed')
export type WebhookEventType = (typeof webhookEventTypes)[number]

/** The type of a message that only shows whether messages arrive. */
export const testMessageType = 'webhook.test'
export type MessageType = WebhookEventType | typeof testMessageType

export const disabledCodes = ['client_request', 'endpoint_gone', 'endpoint_failing'] as const
export type DisabledCode = (typeof disabledCodes)[number]

/** Why nothing is sent any more, and what to do about it. */
export const disabledReasons: Readonly<Record<DisabledCode, string>> = {
  client_request: 'It was switched off. Switch it on with PATCH {"enabled": true}.',
  endpoint_gone:
    'The endpoint answered 410 Gone, so nothing more is sent to it. Put its address right, then switch it on with PATCH {"enabled": true}.',
  endpoint_failing:
    'No message has reached the endpoint for five days. Repair it, switch it on with PATCH {"enabled": true}, and have what it missed sent with POST .../replay.',
}

/** Where a tenant is told of what happens to the connectors that it shares. */
export type Webhook = {
  readonly id: string
  readonly tenantId: string
  readonly url: string
  readonly description: string
  /** None: all of `webhookEventTypes`. */
  readonly eventTypes: readonly WebhookEventType[]
  readonly enabled: boolean
  /** Set exactly while not enabled. */
  readonly disabledCode: DisabledCode | null
  readonly failingSince: Date | null
  readonly sealedSecret: string
  readonly sealedPreviousSecret: string | null
  readonly previousSecretExpiresAt: Date | null
  readonly createdByPrincipalId: string
  readonly createdAt: Date
  readonly updatedAt: Date
}
