import { z } from 'zod'
import { isId } from '../kernel/id.ts'
import { deliveryStatuses } from '../webhooks/delivery.ts'
import { disabledCodes, testMessageType, webhookEventTypes } from '../webhooks/webhook.ts'
import { optional } from './fields.ts'
import { limit, pageToken } from './schemas.ts'

const id = z.uuid()
const time = z.iso.datetime()

const url = z.string().describe('Where messages are posted to: https, and no address of a private network.')
const eventType = z.enum(webhookEventTypes)
const eventTypes = z.array(eventType).max(32).describe('What to be told of. None: everything that there is.')
const description = z.string().max(256)
const maxOverlapSeconds = 7 * 24 * 3600

export const createWebhookBody = z.strictObject({
  url,
  event_types: optional(eventTypes),
  description: optional(description),
})

export const updateWebhookBody = z.strictObject({
  url: url.optional(),
  event_types: eventTypes.optional(),
  description: description.optional(),
  enabled: z.boolean().optional().describe('Switching on also forgets why it was switched off.'),
})

const rotateSecretRequest = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(maxOverlapSeconds)
    .default(24 * 3600)
    .describe('For how long the secret before signs too. Default: a day.'),
})
export const rotateSecretBody = rotateSecretRequest
  .nullish()
  .transform((value) => value ?? rotateSecretRequest.parse({}))

export const replaySinceBody = z.strictObject({
  since: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .describe('From when on everything that did not arrive is sent again.'),
})

export const deliveryParams = z.object({ id: z.string().refine(isId), delivery_id: z.string().refine(isId) })

export const listDeliveriesQuery = z.strictObject({
  limit,
  page_token: pageToken,
  status: z.enum(deliveryStatuses).optional(),
})

const webhookFields = {
  id,
  url: z.string(),
  event_types: z.array(eventType),
  description: z.string(),
  enabled: z.boolean(),
  disabled_code: z.enum(disabledCodes).nullable(),
  disabled_reason: z.string().nullable(),
  failing_since: time.nullable().describe('Since when nothing has arrived.'),
  previous_secret_expires_at: time.nullable().describe('Until when the secret before signs too.'),
  created_at: time,
  updated_at: time,
  created_by: id,
}

export const webhookSchema = z.object(webhookFields).meta({ id: 'Webhook' })

export const webhookWithSecretSchema = z
  .object({ ...webhookFields, secret: z.string().describe('Signs the messages. Shown this once.') })
  .meta({ id: 'WebhookWithSecret' })

export const deliverySchema = z
  .object({
    id: id.describe('Of the message: `webhook-id` in its headers.'),
    type: z.enum([...webhookEventTypes, testMessageType]),
    status: z.enum(deliveryStatuses),
    attempts: z.int().describe('Since it was written, or replayed.'),
    next_attempt_at: time.nullable(),
    last_attempt_at: time.nullable(),
    duration_ms: z.int().nullable().describe('Of the last attempt.'),
    response_status: z.int().nullable(),
    error: z.string().nullable().describe('Why the last attempt came to nothing.'),
    created_at: time,
  })
  .meta({ id: 'WebhookDelivery' })

export const replayedSchema = z.object({ replayed: z.int().describe('How many messages are sent.') })
