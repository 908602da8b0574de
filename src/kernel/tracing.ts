import { currentTrace, type TraceContext, withinTrace } from './trace-context.ts'

export type SpanKind = 'server' | 'client' | 'producer' | 'consumer'

/** Never a secret, a URL with a path or query, or a body: spans leave the house. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** A piece of work, timed. */
export type Span = {
  /** Null while traces are off. */
  readonly context: TraceContext | null
  rename(name: string): void
  set(attributes: SpanAttributes): void
  /** @param failure a stable code; left out when all went well */
  end(failure?: string | null): void
}

export type SpanOptions = {
  readonly kind: SpanKind
  /** Null: a trace of its own. */
  readonly parent: TraceContext | null
  readonly attributes?: SpanAttributes
}

export type Tracing = {
  begin(name: string, options: SpanOptions): Span
  /** Sends what is still to be sent, for a few seconds at most. */
  close(): Promise<void>
}

/** Of a process without traces. */
export const noSpan: Span = { context: null, rename() {}, set() {}, end() {} }

export const noTracing: Tracing = { begin: () => noSpan, close: async () => {} }

/**
 * Runs something within a span of its own; what it asks others for becomes part of that.
 *
 * @param failureOf the stable code of what it throws
 */
export async function traced<T>(
  tracing: Tracing,
  name: string,
  options: Omit<SpanOptions, 'parent'> & { readonly parent?: TraceContext | null },
  act: (span: Span) => Promise<T>,
): Promise<T> {
  if (tracing === noTracing) return act(noSpan)
  const span = tracing.begin(name, { ...options, parent: options.parent ?? currentTrace() })
  try {
    const result = await withinTrace(span.context, () => act(span))
    span.end()
    return result
  } catch (error) {
    span.end(error instanceof Error && 'code' in error ? String(error.code) : 'error')
    throw error
  }
}
