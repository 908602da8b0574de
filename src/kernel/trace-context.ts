import { AsyncLocalStorage } from 'node:async_hooks'

/** A place in a trace: ids and nothing else (W3C Trace Context). */
export type TraceContext = { readonly traceId: string; readonly spanId: string; readonly isSampled: boolean }

const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/**
 * Reads a `traceparent` (W3C Trace Context, section 3.2).
 *
 * @returns null for what is none: then a trace begins anew, as section 4.3 says
 */
export function parseTraceparent(text: string | null | undefined): TraceContext | null {
  const [, traceId, spanId, flags] = form.exec(text ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

// costs nothing until somebody runs something within it
const contexts = new AsyncLocalStorage<TraceContext>()

/** The place in a trace that this code runs for; null where there is none, and always while traces are off. */
export function currentTrace(): TraceContext | null {
  return contexts.getStore() ?? null
}

/** Runs something, and all that it waits for, for that place. */
export function withinTrace<T>(context: TraceContext | null, act: () => T): T {
  return context === null ? act() : contexts.run(context, act)
}
