import type { Secret } from '../../kernel/secret.ts'
import type { ManageWebhooks } from '../../webhooks/manage-webhooks.ts'
import type { DeliveryStore } from '../../webhooks/store.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import { present } from '../fields.ts'
import { representDelivery, representList, representWebhook } from '../representations.ts'
import { defineRoute, type Route } from '../route.ts'
import { idParams, listSchema } from '../schemas.ts'
import {
  createWebhookBody,
  deliveryParams,
  deliverySchema,
  listDeliveriesQuery,
  replayedSchema,
  replaySinceBody,
  rotateSecretBody,
  updateWebhookBody,
  webhookSchema,
  webhookWithSecretSchema,
} from '../webhook-schemas.ts'

type Deps = { readonly manageWebhooks: ManageWebhooks; readonly deliveries: Pick<DeliveryStore, 'list'> }

const withSecret = ({ webhook, secret }: { webhook: Webhook; secret: Secret }) => ({
  ...representWebhook(webhook),
  secret: secret.reveal(),
})

/** Webhooks: where a tenant is told of what happens to its connectors. */
export function createWebhookRoutes({ manageWebhooks, deliveries }: Deps): Route[] {
  return [
    defineRoute({
      method: 'post',
      path: '/webhooks',
      operationId: 'createWebhook',
      summary: 'Be told of what happens to connectors',
      scope: 'webhooks',
      body: createWebhookBody,
      success: {
        status: 201,
        description: 'The new webhook, and the only sight of its secret.',
        schema: webhookWithSecretSchema,
      },
      errors: ['url_invalid', 'url_not_allowed', 'webhook_limit'],
      handle: async ({ principal, body }) => {
        const { event_types: eventTypes, ...rest } = body
        return withSecret(await manageWebhooks.create(principal, present({ ...rest, eventTypes })))
      },
    }),

    defineRoute({
      method: 'get',
      path: '/webhooks',
      operationId: 'listWebhooks',
      summary: "Your organisation's webhooks",
      scope: 'webhooks',
      success: { status: 200, description: 'All of them, newest first.', schema: listSchema(webhookSchema) },
      errors: [],
      handle: async ({ principal }) => {
        const webhooks = await manageWebhooks.list(principal)
        return representList(webhooks.map(representWebhook), webhooks.length, false)
      },
    }),

    defineRoute({
      method: 'get',
      path: '/webhooks/{id}',
      operationId: 'getWebhook',
      summary: 'One webhook',
      scope: 'webhooks',
      params: idParams,
      success: { status: 200, description: 'The webhook, without its secret.', schema: webhookSchema },
      errors: ['not_found'],
      handle: async ({ principal, params }) => representWebhook(await manageWebhooks.find(principal, params.id)),
    }),

    defineRoute({
      method: 'patch',
      path: '/webhooks/{id}',
      operationId: 'updateWebhook',
      summary: 'Change a webhook, switch it on or off',
      scope: 'webhooks',
      params: idParams,
      body: updateWebhookBody,
      success: { status: 200, description: 'The changed webhook.', schema: webhookSchema },
      errors: ['not_found', 'url_invalid', 'url_not_allowed'],
      handle: async ({ principal, params, body }) => {
        const { event_types: eventTypes, ...rest } = body
        return representWebhook(await manageWebhooks.update(principal, params.id, present({ ...rest, eventTypes })))
      },
    }),

    defineRoute({
      method: 'delete',
      path: '/webhooks/{id}',
      operationId: 'deleteWebhook',
      summary: 'Delete a webhook',
      scope: 'webhooks',
      params: idParams,
      success: { status: 204, description: 'Gone, with its deliveries.' },
      errors: ['not_found'],
      handle: async ({ principal, params }) => {
        await manageWebhooks.delete(principal, params.id)
        return undefined
      },
    }),

    defineRoute({
      method: 'post',
      path: '/webhooks/{id}/rotate-secret',
      operationId: 'rotateWebhookSecret',
      summary: 'Replace the secret',
      scope: 'webhooks',
      params: idParams,
      body: rotateSecretBody,
      success: {
        status: 200,
        description: 'The webhook, and the only sight of its new secret. Both secrets sign until the old one expires.',
        schema: webhookWithSecretSchema,
      },
      errors: ['not_found', 'conflict'],
      handle: async ({ principal, params, body }) =>
        withSecret(await manageWebhooks.rotateSecret(principal, params.id, body.overlap_seconds * 1000)),
    }),

    defineRoute({
      method: 'post',
      path: '/webhooks/{id}/test',
      operationId: 'testWebhook',
      summary: 'Send a test message',
      scope: 'webhooks',
      params: idParams,
      success: {
        status: 200,
        description:
          'The delivery of the test, which is sent at once; ask for the deliveries to see what became of it.',
        schema: deliverySchema,
      },
      errors: ['not_found', 'conflict'],
      handle: async ({ principal, params }) => representDelivery(await manageWebhooks.sendTest(principal, params.id)),
    }),

    defineRoute({
      method: 'get',
      path: '/webhooks/{id}/deliveries',
      operationId: 'listWebhookDeliveries',
      summary: 'What was sent, and what became of it',
      scope: 'webhooks',
      params: idParams,
      query: listDeliveriesQuery,
      success: { status: 200, description: 'Deliveries, newest event first.', schema: listSchema(deliverySchema) },
      errors: ['not_found'],
      handle: async ({ principal, params, query }) => {
        const webhook = await manageWebhooks.find(principal, params.id)
        const { limit, page_token: before, status } = query
        const page = await deliveries.list(webhook, present({ limit, before, status }))
        return representList(page.items.map(representDelivery), page.totalCount, page.hasMore)
      },
    }),

    defineRoute({
      method: 'post',
      path: '/webhooks/{id}/deliveries/{delivery_id}/replay',
      operationId: 'replayWebhookDelivery',
      summary: 'Send one message again',
      scope: 'webhooks',
      params: deliveryParams,
      success: { status: 200, description: 'The delivery, `pending` again.', schema: deliverySchema },
      errors: ['not_found', 'conflict'],
      handle: async ({ principal, params }) =>
        representDelivery(await manageWebhooks.replay(principal, params.id, params.delivery_id)),
    }),

    defineRoute({
      method: 'post',
      path: '/webhooks/{id}/replay',
      operationId: 'replayWebhook',
      summary: 'Send what did not arrive since a time',
      scope: 'webhooks',
      params: idParams,
      body: replaySinceBody,
      success: {
        status: 200,
        description:
          'How many messages are sent: those that failed, and those of events from while the webhook was off.',
        schema: replayedSchema,
      },
      errors: ['not_found', 'conflict'],
      handle: async ({ principal, params, body }) => ({
        replayed: await manageWebhooks.replaySince(principal, params.id, body.since),
      }),
    }),
  ]
}
