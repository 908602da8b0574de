import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { durationBuckets } from './buckets.ts'

/** What is counted of telling others what happens: webhooks, and the stream of events. */
export type AnnouncingMetrics = {
  /**
   * A message was sent to a webhook once.
   *
   * @param error why it did not arrive, a `DeliveryError`; null: it did
   * @param tookMs milliseconds
   */
  webhookSent(error: string | null, tookMs: number): void
  /** A webhook was switched off by us: it is gone, or has failed for days. */
  webhookDisabled(): void
  streamOpened(): void
  streamClosed(): void
}

export function createAnnouncingMetrics(registry: Registry): AnnouncingMetrics {
  const registers = [registry]
  const sent = new Counter({
    name: 'patchbay_webhook_attempts_total',
    help: 'Messages that were sent to webhooks, each attempt of them, by result (delivered, or why not).',
    labelNames: ['result'] as const,
    registers,
  })
  const took = new Histogram({
    name: 'patchbay_webhook_seconds',
    help: 'How long webhooks took to answer, or to fail.',
    buckets: durationBuckets,
    registers,
  })
  const disabled = new Counter({
    name: 'patchbay_webhook_disabled_total',
    help: 'Webhooks that Patchbay switched off, since they are gone or have failed for days.',
    registers,
  })
  const streams = new Gauge({
    name: 'patchbay_event_streams_open',
    help: 'Streams of events (GET /api/v1/events) that are open right now.',
    registers,
  })
  return {
    webhookSent(error, tookMs) {
      sent.inc({ result: error ?? 'delivered' })
      took.observe(tookMs / 1000)
    },
    webhookDisabled: () => disabled.inc(),
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
  }
}
