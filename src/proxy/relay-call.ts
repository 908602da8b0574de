import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Caller } from '../access/caller.ts'
import type { Resolution, UpstreamTarget } from '../connections/resolve-upstream.ts'
import { AppError } from '../kernel/app-error.ts'
import { formatTraceparent } from '../kernel/trace-context.ts'
import { noSpan, type Tracing } from '../kernel/tracing.ts'
import type { RelayMetrics } from '../metrics/relay-metrics.ts'
import type { Reply } from './call.ts'
import { beginUpstreamSpan, endUpstreamSpan } from './call-span.ts'
import { canOpenLinks, readMessages } from './json-rpc.ts'
import type { ProxyLimits } from './limits.ts'
import type { NeedsConnection, RecoverUnauthorized } from './ports.ts'
import { type RelayDeps, type RelayOutcome, startRelay } from './relay.ts'
import type { RequestHead } from './request-headers.ts'
import { type ClientFeatures, featuresOf, type SessionBinding } from './session-binding.ts'
import type { SessionClients } from './session-clients.ts'
import type { Translate } from './translate.ts'
import { unknownSession } from './unknown-session.ts'
import { toUpstreamRequest } from './upstream-request.ts'

/** A call that has passed every check. */
export type AdmittedCall = {
  readonly request: IncomingMessage
  readonly method: string
  readonly head: RequestHead
  readonly reply: Reply
  readonly caller: Caller
  readonly body: Buffer
}

type Deps = RelayDeps & {
  readonly recoverUnauthorized: RecoverUnauthorized
  readonly translator: Translate
  readonly sessions: SessionBinding
  readonly clients: SessionClients
  readonly metrics: RelayMetrics
  readonly tracing: Tracing
  readonly limits: ProxyLimits
}

/** Sends a call upstream. A refused credential is renewed once, and the call repeated once (REL-12: never a loop). */
export function createRelayCall(deps: Deps) {
  const { recoverUnauthorized, translator, sessions, clients, metrics, tracing, limits } = deps

  /**
   * @returns null when the caller has, or is getting, an answer, or is gone; else what the connection lacks
   * @throws AppError why there is no answer
   */
  async function relayCall(call: AdmittedCall, found: Resolution): Promise<NeedsConnection | null> {
    const { principal } = call.caller
    let resolution = found
    for (const attempt of [1, 2] as const) {
      if (resolution.kind === 'needs_connection') return resolution
      if (call.reply.response.destroyed) return null
      const { target } = resolution
      const sentAt = performance.now()
      const outcome = await relayOnce(call, target)
      metrics.relayed(outcome.kind, performance.now() - sentAt)
      if (outcome.kind === 'failed') throw outcome.error
      if (outcome.kind !== 'unauthorized') return null
      const { status, challenge } = outcome
      resolution = await recoverUnauthorized(principal, target, { status, challenge, attempt })
      if (resolution.kind === 'usable') checkReplay(target, resolution.target, attempt, call.body)
    }
    return resolution.kind === 'needs_connection' ? resolution : null
  }

  /** @throws AppError when the call must not be, or need not be, sent once more */
  function checkReplay(before: UpstreamTarget, after: UpstreamTarget, attempt: 1 | 2, body: Buffer): void {
    const isSame =
      before.connectionId === after.connectionId &&
      before.grantEpoch === after.grantEpoch &&
      before.tokenVersion === after.tokenVersion
    if (isSame || attempt === 2) {
      throw new AppError('upstream_error', 'the upstream refused a credential that should be good', {
        publicDetail: 'The MCP server behind this connector refuses the credential that it gave us.',
        meta: { attempt, isSame },
      })
    }
    if (body.length > limits.maxReplayBytes) {
      throw new AppError('refresh_in_progress', 'body too long to be sent again after the refresh', {
        publicDetail: 'The connection has just been renewed. Send the request again.',
      })
    }
  }

  function relayOnce(call: AdmittedCall, target: UpstreamTarget): Promise<RelayOutcome> {
    const { request, method, head, reply, caller, body } = call
    const owner = { principal: caller.principal, connectionId: target.connectionId }
    const sessionId = head.sessionId === null ? null : sessions.open(owner, head.sessionId)
    if (head.sessionId !== null && sessionId === null) throw unknownSession()
    const bindSession = (upstreamId: string): string | null => {
      if (upstreamId === sessionId) return head.sessionId
      const features = head.sessionId === null ? featuresOfClient(body) : featuresOf(head.sessionId)
      const bound = sessions.bind(owner, upstreamId, features)
      if (bound !== null && reply.call.client !== null) clients.remember(bound, reply.call.client)
      return bound
    }
    if (target.translation !== null) {
      return translator.serve({
        request,
        reply,
        caller,
        target,
        kind: target.translation,
        body,
        sessionId,
        boundSessionId: head.sessionId,
        isForwarded: head.proof !== null,
        bindSession,
      })
    }
    const span = beginUpstreamSpan(tracing, reply.call, target.url)
    const traceparent = span.context === null ? null : formatTraceparent(span.context)
    const outbound = { method, forwarded: head.forwarded, traceparent, sessionId, body }
    const upstreamRequest = toUpstreamRequest(target, outbound)
    const relaying = startRelay(deps, { reply, caller, target, request: upstreamRequest, bindSession })
    reply.call.relaying = relaying
    if (span !== noSpan) void relaying.outcome.then((outcome) => endUpstreamSpan(span, outcome))
    return relaying.outcome
  }

  return relayCall
}

/** Read only where an upstream opens a session, that is on the answer to `initialize`. */
function featuresOfClient(body: Buffer): ClientFeatures {
  return readMessages(body)?.messages.some(canOpenLinks) === true ? 'e' : '-'
}
