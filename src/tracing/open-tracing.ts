import type { Secret } from '../kernel/secret.ts'
import { noTracing, type Tracing } from '../kernel/tracing.ts'

type TraceSettings = {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT: string | undefined
  readonly OTEL_EXPORTER_OTLP_HEADERS: Secret | undefined
  readonly OTEL_TRACES_SAMPLER_ARG: number
}

/** As which this process shows up. */
type Service = { readonly name: 'patchbay-server' | 'patchbay-worker'; readonly version: string }

/**
 * Traces to the collector that the settings name. Without one nothing is loaded: OpenTelemetry's packages would cost every start a
 * third of a second.
 */
export async function openTracing(settings: TraceSettings, service: Service): Promise<Tracing> {
  const endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return noTracing
  const { createOtlpTracing } = await import('./otlp-tracing.ts')
  return createOtlpTracing({
    endpoint,
    headers: settings.OTEL_EXPORTER_OTLP_HEADERS,
    ratio: settings.OTEL_TRACES_SAMPLER_ARG,
    service,
  })
}
