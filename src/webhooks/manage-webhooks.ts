import { readConnectorUrl } from '../connectors/read-connector-url.ts'
import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError } from '../kernel/app-error.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import type { Delivery } from './delivery.ts'
import type { DeliveryStore, WebhookStore } from './store.ts'
import type { Webhook, WebhookEventType } from './webhook.ts'
import { newSigningSecret, sealAsPrevious, sealSigningSecret } from './webhook-secrets.ts'

const maxWebhooks = 20

export type WebhookRequest = {
  readonly url: string
  readonly eventTypes?: readonly WebhookEventType[]
  readonly description?: string
}

export type WebhookUpdate = Partial<WebhookRequest> & { readonly enabled?: boolean }

type Deps = {
  readonly webhooks: WebhookStore
  readonly deliveries: DeliveryStore
  readonly addressPolicy: AddressPolicy
  readonly vault: Vault
  readonly clock: Clock
}

export type ManageWebhooks = ReturnType<typeof createManageWebhooks>

/** What administrators do with their tenant's webhooks. All of it answers `not_found` for another tenant's. */
export function createManageWebhooks({ webhooks, deliveries, addressPolicy, vault, clock }: Deps) {
  const find = async ({ tenantId }: Principal, id: string): Promise<Webhook> =>
    existing(await webhooks.find(tenantId, id))

  return {
    find,

    list: ({ tenantId }: Principal): Promise<Webhook[]> => webhooks.list(tenantId),

    /**
     * The secret is in the answer and nowhere else afterwards.
     *
     * @throws AppError `url_invalid`, `url_not_allowed`, `webhook_limit`
     */
    async create(principal: Principal, request: WebhookRequest): Promise<{ webhook: Webhook; secret: Secret }> {
      const { tenantId } = principal
      const { href } = readConnectorUrl(request.url, addressPolicy)
      const secret = newSigningSecret()
      const id = newId()
      const webhook = await webhooks.create(
        {
          id,
          tenantId,
          url: href,
          description: request.description ?? '',
          eventTypes: request.eventTypes ?? [],
          sealedSecret: sealSigningSecret(vault, { id, tenantId }, secret),
          createdByPrincipalId: principal.id,
        },
        maxWebhooks,
      )
      if (webhook === null) {
        throw new AppError('webhook_limit', 'too many webhooks', {
          publicDetail: `Your organisation has ${maxWebhooks} webhooks, which is as many as there can be. Delete one first.`,
        })
      }
      return { webhook, secret }
    },

    /** @throws AppError `not_found`, `url_invalid`, `url_not_allowed` */
    async update({ tenantId }: Principal, id: string, update: WebhookUpdate): Promise<Webhook> {
      const { url, enabled, ...rest } = update
      const changes = {
        ...rest,
        ...(url === undefined ? {} : { url: readConnectorUrl(url, addressPolicy).href }),
        ...(enabled === true ? { enabled, disabledCode: null, failingSince: null } : {}),
      }
      const updated = existing(await webhooks.update(tenantId, id, changes))
      if (enabled !== false || !updated.enabled) return updated
      // keeps the reason of one that was switched off by itself
      await webhooks.disable(updated, 'client_request')
      return existing(await webhooks.find(tenantId, id))
    },

    /** @throws AppError `not_found` */
    async delete({ tenantId }: Principal, id: string): Promise<void> {
      if (!(await webhooks.delete(tenantId, id))) throw missing()
    },

    /**
     * Replaces the secret. The one before signs too for `overlapMs`, so that receivers can change over in their own time.
     *
     * @throws AppError `not_found`, `conflict` when it is being replaced by somebody else
     */
    async rotateSecret(principal: Principal, id: string, overlapMs: number) {
      const seen = await find(principal, id)
      const secret = newSigningSecret()
      const webhook = await webhooks.update(
        seen.tenantId,
        id,
        {
          sealedSecret: sealSigningSecret(vault, seen, secret),
          sealedPreviousSecret: overlapMs === 0 ? null : sealAsPrevious(vault, seen),
          previousSecretExpiresAt: overlapMs === 0 ? null : addMs(clock.now(), overlapMs),
        },
        seen,
      )
      if (webhook === null) throw new AppError('conflict', 'secret replaced by another')
      return { webhook, secret }
    },

    /**
     * Sends a message of type `webhook.test`; what becomes of it stands among the deliveries.
     *
     * @throws AppError `not_found`, `conflict` when the webhook is switched off
     */
    async sendTest(principal: Principal, id: string): Promise<Delivery> {
      return deliveries.addTest(enabled(await find(principal, id)), newId(), clock.now())
    },

    /** @throws AppError `not_found`, `conflict` when the webhook is switched off */
    async replay(principal: Principal, id: string, eventId: string): Promise<Delivery> {
      const webhook = enabled(await find(principal, id))
      const delivery = await deliveries.replay(webhook, eventId, clock.now())
      if (delivery === null) throw new AppError('not_found', 'no such delivery')
      return delivery
    },

    /**
     * @returns how many are sent again, or for the first time
     * @throws AppError `not_found`, `conflict` when the webhook is switched off
     */
    async replaySince(principal: Principal, id: string, since: Date): Promise<number> {
      return deliveries.replaySince(enabled(await find(principal, id)), since, clock.now())
    },
  }
}

function missing(): AppError {
  return new AppError('not_found', 'no such webhook')
}

function existing(webhook: Webhook | null): Webhook {
  if (webhook === null) throw missing()
  return webhook
}

function enabled(webhook: Webhook): Webhook {
  if (webhook.enabled) return webhook
  throw new AppError('conflict', 'webhook is disabled', {
    publicDetail: 'This webhook is switched off, so nothing is sent to it. Switch it on with PATCH {"enabled": true}.',
  })
}
