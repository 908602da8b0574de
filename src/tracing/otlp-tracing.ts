import {
  SpanKind as Kind,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Secret } from '../kernel/secret.ts'
import type { TraceContext } from '../kernel/trace-context.ts'
import type { Span, SpanKind, Tracing } from '../kernel/tracing.ts'

type Options = {
  /** The collector's base URL; traces go to `/v1/traces` below it (OpenTelemetry, OTLP exporter configuration). */
  readonly endpoint: string
  readonly headers: Secret | undefined
  /** The share of traces that are recorded, 0 to 1. */
  readonly ratio: number
  readonly service: { readonly name: string; readonly version: string }
}

const kinds: Readonly<Record<SpanKind, Kind>> = {
  server: Kind.SERVER,
  client: Kind.CLIENT,
  producer: Kind.PRODUCER,
  consumer: Kind.CONSUMER,
}
const closeMs = 3_000
const scheduledDelayMillis = 2_000

/**
 * Traces over OTLP/HTTP in JSON, sent in batches by a timer; what a slow or missing collector leaves no room for is dropped. What
 * is recorded is our own decision, by the trace's id: a caller's flag makes nothing recorded.
 */
export function createOtlpTracing({ endpoint, headers, ratio, service }: Options): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    headers: headers === undefined ? {} : readHeaders(headers),
    timeoutMillis: closeMs,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service.name, 'service.version': service.version }),
    sampler: new TraceIdRatioBasedSampler(ratio),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis })],
    spanLimits: { attributeValueLengthLimit: 256, attributeCountLimit: 32 },
  })
  const tracer = provider.getTracer('patchbay')

  return {
    begin(name, { kind, parent, attributes = {} }) {
      const context = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, toSpanContext(parent))
      return toSpan(tracer.startSpan(name, { kind: kinds[kind], attributes }, context))
    },
    async close() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, closeMs).unref())
      await Promise.race([provider.shutdown().catch(() => {}), late])
    },
  }
}

const toSpanContext = ({ traceId, spanId, isSampled }: TraceContext) => ({
  traceId,
  spanId,
  traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  isRemote: true,
})

function toSpan(span: OtelSpan): Span {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return {
    context: { traceId, spanId, isSampled: (traceFlags & TraceFlags.SAMPLED) === TraceFlags.SAMPLED },
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(attributes),
    end(failure = null) {
      if (failure !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: failure })
      span.end()
    },
  }
}

/** `key=value,key=value`, values percent-encoded (OpenTelemetry, OTLP exporter configuration). */
function readHeaders(headers: Secret): Record<string, string> {
  const pairs = headers
    .reveal()
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair.includes('='))
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
    }),
  )
}
