import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import { addMs, type Clock } from '../kernel/clock.ts'
import { parseTraceparent } from '../kernel/trace-context.ts'
import { type Tracing, traced } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { AnnouncingMetrics } from '../metrics/announcing-metrics.ts'
import { parseRetryAfter } from '../upstream/retry-after.ts'
import type { Vault } from '../vault/vault.ts'
import type { Attempt, DeliveryError } from './delivery.ts'
import { writeMessage, writeTestMessage } from './message.ts'
import { retryDelayMs } from './retry-schedule.ts'
import { signedHeaders } from './sign-message.ts'
import type { DeliveryStore, DueDelivery, WebhookName, WebhookStore } from './store.ts'
import { type DisabledCode, testMessageType, type Webhook } from './webhook.ts'
import { openSigningSecrets } from './webhook-secrets.ts'

type Deps = {
  readonly webhooks: WebhookStore
  readonly deliveries: DeliveryStore
  readonly fetch: GuardedFetch
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly metrics: AnnouncingMetrics
  readonly tracing: Tracing
  readonly log: Logger
}

/** How many messages are under way to one webhook at once. */
const batchSize = 10
/** Longer than an attempt takes: what was not recorded by then was lost with its process. */
const claimMs = 60_000
const answerMs = 15_000
const maxAnswerBytes = 64 * 1024
const dayMs = 24 * 3_600_000
/** After so long without a success the webhook is switched off. */
const failingMs = 5 * dayMs
/** The longest wait between two attempts is a day: a longer silence means that there was nothing to send. */
const pauseMs = 2 * dayMs
/** One job does not keep others waiting for longer. */
const maxRounds = 50

export type DeliverWebhook = ReturnType<typeof createDeliverWebhook>

/**
 * Sends what is due to one webhook, until nothing is, or nothing arrives.
 *
 * Each message at least once: an attempt is recorded after the answer, so when a process dies in between, the message is
 * sent again, with the same id.
 *
 * @returns how many messages arrived, and how many did not
 */
export function createDeliverWebhook({
  webhooks,
  deliveries,
  fetch,
  vault,
  clock,
  random,
  metrics,
  tracing,
  log,
}: Deps) {
  return async (name: WebhookName): Promise<{ delivered: number; failed: number }> => {
    const total = { delivered: 0, failed: 0 }
    for (let round = 0; round < maxRounds; round += 1) {
      const webhook = await webhooks.find(name.tenantId, name.id)
      if (webhook === null || !webhook.enabled) break
      const due = await deliveries.claim(webhook, clock.now(), batchSize, claimMs)
      if (due.length === 0) break
      const attempts = await Promise.all(due.map((one) => deliverTraced(webhook, one)))
      const delivered = attempts.filter(({ error }) => error === null).length
      total.delivered += delivered
      total.failed += attempts.length - delivered
      await judge(webhook, attempts)
      if (delivered === 0) break
    }
    return total
  }

  /** Goes on with the trace of what the message tells of. */
  function deliverTraced(webhook: Webhook, due: DueDelivery): Promise<Attempt> {
    const origin = { kind: 'consumer', parent: parseTraceparent(due.source?.traceparent) } as const
    return traced(tracing, `webhook ${due.delivery.type}`, origin, async (span) => {
      const attempt = await deliverOne(webhook, due)
      if (attempt.error !== null) span.set({ 'patchbay.outcome': attempt.error })
      return attempt
    })
  }

  async function deliverOne(webhook: Webhook, { delivery, source }: DueDelivery): Promise<Attempt> {
    const body =
      delivery.type === testMessageType ? writeTestMessage(delivery) : source === null ? null : writeMessage(source)
    if (body === null) {
      const attempt: Attempt = { at: clock.now(), durationMs: 0, responseStatus: null, error: 'event_expired' }
      await deliveries.record(delivery, attempt, null)
      return attempt
    }
    const attempt = await send(webhook, delivery.eventId, body)
    const delayMs = retryDelayMs(delivery.attempts + 1, random, attempt.retryAfterMs)
    const isOver = attempt.error === null || delayMs === null
    await deliveries.record(delivery, attempt, isOver ? null : addMs(clock.now(), delayMs))
    const { responseStatus, error, durationMs } = attempt
    metrics.webhookSent(error, durationMs)
    const facts = { webhookId: webhook.id, eventId: delivery.eventId, responseStatus, error, durationMs }
    log.info(facts, error === null ? 'webhook delivered' : 'webhook not delivered')
    return attempt
  }

  async function send(webhook: Webhook, id: string, body: string): Promise<Attempt> {
    const at = clock.now()
    const startedAt = performance.now()
    const ended = (outcome: Omit<Attempt, 'at' | 'durationMs'>): Attempt => ({
      at,
      durationMs: Math.round(performance.now() - startedAt),
      ...outcome,
    })
    const head = { id, timestamp: Math.floor(at.getTime() / 1000) }
    try {
      const response = await fetch(webhook.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...signedHeaders(head, body, openSigningSecrets(vault, webhook, at)),
        },
        body,
        totalMs: answerMs,
        maxBytes: maxAnswerBytes,
        // what it says is of no interest
        stream: true,
      })
      await response.body?.cancel()
      const { status: responseStatus } = response
      if (response.ok) return ended({ responseStatus, error: null })
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), at)
      return ended({ responseStatus, error: 'http_status', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    } catch (error) {
      return ended({ responseStatus: null, error: failureOf(error) })
    }
  }

  /** What the answers say about the webhook itself. */
  async function judge(webhook: Webhook, attempts: readonly Attempt[]): Promise<void> {
    const sent = attempts.filter(({ error }) => error !== 'event_expired')
    const failed = sent.filter(({ error }) => error !== null)
    if (failed.some(({ responseStatus }) => responseStatus === 410)) {
      await switchOff(webhook, 'endpoint_gone', 'webhook is gone and is switched off')
    } else if (failed.length < sent.length) {
      if (webhook.failingSince !== null) await webhooks.noteSuccess(webhook)
    } else if (failed.length > 0) {
      const now = clock.now()
      const since = await webhooks.noteFailure(webhook, now, pauseMs)
      if (since === null || now.getTime() - since.getTime() < failingMs) return
      await switchOff(webhook, 'endpoint_failing', 'webhook has been failing for days and is switched off')
    }
  }

  async function switchOff(webhook: Webhook, code: DisabledCode, message: string) {
    if (!(await webhooks.disable(webhook, code))) return
    metrics.webhookDisabled()
    log.warn({ webhookId: webhook.id, since: webhook.failingSince }, message)
  }
}

const failures: ReadonlySet<string> = new Set<DeliveryError>([
  'egress_blocked',
  'upstream_unreachable',
  'upstream_timeout',
  'upstream_protocol_error',
])

/** @throws what is no failure of the way out */
function failureOf(error: unknown): DeliveryError {
  if (error instanceof AppError && failures.has(error.code)) return error.code as DeliveryError
  throw error
}
