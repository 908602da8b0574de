import type { CallOutcome } from '../insight/call.ts'
import { parseTraceparent } from '../kernel/trace-context.ts'
import { noSpan, noTracing, type Span, type Tracing } from '../kernel/tracing.ts'
import type { McpCall } from './call.ts'
import type { RelayOutcome } from './relay.ts'

/**
 * Begins the span of a call, once its caller is known: a trace that somebody unknown asks for is nobody's. It goes on with the
 * caller's own trace where there is one.
 *
 * @param headers names and values in turn
 */
export function beginCallSpan(tracing: Tracing, call: McpCall, headers: readonly string[]): void {
  if (tracing === noTracing) return
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'traceparent')
  const parent = at === -1 ? null : parseTraceparent(headers[at + 1])
  call.span = tracing.begin('mcp', {
    kind: 'server',
    parent,
    attributes: { 'patchbay.connector_id': call.connectorId, 'patchbay.request_id': call.requestId },
  })
}

/** Ends it, with what is known by then. */
export function endCallSpan(call: McpCall, outcome: CallOutcome, status: number | null): void {
  const { span, message } = call
  if (span === noSpan) return
  const { method, tool } = message
  span.rename(tool === '' ? method : `${method} ${tool}`)
  span.set({
    'mcp.method.name': method,
    'patchbay.outcome': outcome,
    ...(tool === '' ? {} : { 'gen_ai.tool.name': tool }),
    ...(status === null ? {} : { 'http.response.status_code': status }),
    ...(call.principalId === null ? {} : { 'patchbay.principal_id': call.principalId }),
    ...(call.client === null ? {} : { 'patchbay.client': call.client }),
  })
  span.end(outcome === 'ok' ? null : (call.failure ?? outcome))
}

/** Of one attempt to have the upstream answer: until it does, or its stream begins. */
export function beginUpstreamSpan(tracing: Tracing, call: McpCall, url: string): Span {
  if (call.span === noSpan) return noSpan
  return tracing.begin('upstream', {
    kind: 'client',
    parent: call.span.context,
    attributes: { 'server.address': URL.canParse(url) ? new URL(url).host : '' },
  })
}

export function endUpstreamSpan(span: Span, outcome: RelayOutcome): void {
  span.end(outcome.kind === 'answered' ? null : outcome.kind === 'failed' ? outcome.error.code : outcome.kind)
}
