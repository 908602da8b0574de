import { createEventFeed } from '../audit/event-feed.ts'
import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { createWatchEvents } from '../connections/watch-events.ts'
import type { AddressPolicy } from '../egress/address-policy.ts'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { createEventRoutes } from '../http/routes/event-routes.ts'
import { createWebhookRoutes } from '../http/routes/webhook-routes.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Tracing } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { AnnouncingMetrics } from '../metrics/announcing-metrics.ts'
import type { Storage } from '../storage/open-storage.ts'
import type { Vault } from '../vault/vault.ts'
import { createDeliverWebhook } from '../webhooks/deliver-webhook.ts'
import { createManageWebhooks } from '../webhooks/manage-webhooks.ts'

type Deps = {
  readonly settings: Settings
  readonly storage: Storage
  readonly changes: Changes
  readonly addressPolicy: AddressPolicy
  readonly fetch: GuardedFetch
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly timings: Timings
  readonly metrics: AnnouncingMetrics
  readonly tracing: Tracing
  readonly log: Logger
}

/** Everything by which others are told what happens, wired: part of the composition root. */
export function composeAnnouncing(deps: Deps) {
  const { settings, storage, changes, clock, vault } = deps
  const { events, webhooks, deliveries } = storage
  const timings = deps.timings.eventStream
  const watchEvents = createWatchEvents({
    events,
    feed: createEventFeed({ events, changes, timings }),
    clock,
    timings,
    maxStreams: settings.EVENT_STREAMS,
    metrics: deps.metrics,
  })
  const { addressPolicy, fetch, random, metrics, tracing, log } = deps
  const manageWebhooks = createManageWebhooks({ webhooks, deliveries, addressPolicy, vault, clock })
  return {
    apiRoutes: [...createEventRoutes({ watchEvents }), ...createWebhookRoutes({ manageWebhooks, deliveries })],
    webhooks,
    deliverWebhook: createDeliverWebhook({ webhooks, deliveries, fetch, vault, clock, random, metrics, tracing, log }),
    endEventStreams: watchEvents.endAll,
  }
}
