import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { AskPeer } from '../egress/ask-peer.ts'
import type { UpstreamClient } from '../egress/http1/exchange.ts'
import { readMessage } from '../insight/read-message.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import { withinTrace } from '../kernel/trace-context.ts'
import type { Tracing } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { RelayMetrics } from '../metrics/relay-metrics.ts'
import type { OpenLegacyTransport } from '../upstream/legacy-transport.ts'
import type { Vault } from '../vault/vault.ts'
import { createAdmission } from './admission.ts'
import { type McpCall, type Reply, writeAnswer } from './call.ts'
import { beginCallSpan } from './call-span.ts'
import { challengeHeaders } from './challenge.ts'
import { createOriginPolicy } from './cors.ts'
import { endRevoked, type UnderWay } from './end-revoked.ts'
import { statusOf, writeFailure } from './failures.ts'
import { createForwardSession } from './forward-session.ts'
import { createForwardingProofs, proofHeader } from './forwarding-proof.ts'
import { type Beating, createHeartbeat } from './heartbeat.ts'
import { defaultProxyLimits, type ProxyLimits } from './limits.ts'
import type { OwnPlace } from './own-place.ts'
import { createOwnSession, mayAnswerUs } from './own-session.ts'
import { createPlaceProofs } from './place-proof.ts'
import type { AuthenticateCaller, BeginConnect, RecoverUnauthorized, ResolveUpstream } from './ports.ts'
import { createRelayCall } from './relay-call.ts'
import { readRequestBody } from './request-body.ts'
import { type RequestHead, readRequestHead } from './request-headers.ts'
import { createSessionBinding, type SessionKeys } from './session-binding.ts'
import { createSessionClients } from './session-clients.ts'
import { createTranslate } from './translate.ts'
import { unknownSession } from './unknown-session.ts'
import { addressOf } from './upstream-request.ts'

export type McpEndpointDeps = {
  readonly authenticate: AuthenticateCaller
  readonly resolveUpstream: ResolveUpstream
  readonly recoverUnauthorized: RecoverUnauthorized
  readonly changes: Changes
  readonly clock: Clock
  readonly beginConnect: BeginConnect
  readonly upstreams: UpstreamClient
  /** For upstreams of HTTP+SSE and WebSocket. */
  readonly openTransport: OpenLegacyTransport
  /** The other processes of ours, for sessions that live in one of them. */
  readonly askPeer: AskPeer
  readonly place: OwnPlace
  readonly sessionKeys: SessionKeys
  /** Seals what goes with a question to a client, and where a session lives. */
  readonly vault: Vault
  readonly publicUrl: URL
  /** What a browser is shown that opens the address without credentials: whole headers, and the page. */
  readonly showBrowser: (mcpUrl: string) => { readonly headers: readonly string[]; readonly body: string }
  /** Browser origins that may call, besides our own. */
  readonly allowedOrigins: readonly string[]
  readonly metrics: RelayMetrics
  readonly tracing: Tracing
  readonly log: Logger
  readonly limits?: Partial<ProxyLimits>
}

/**
 * Which event streams are to end: those that only listen (GET, which is opened again elsewhere), or those too that answer a
 * request, whose answer is lost with them.
 */
type Retiring = 'listening' | 'all'

export type McpEndpoint = {
  /** Answers one request. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse, call: McpCall): void
  /** For the shutdown: open event streams of that sort end at their next event boundary. */
  retireStreams(sort: Retiring): void
  /** Stops the timers. */
  stop(): void
}

type Incoming = {
  readonly request: IncomingMessage
  readonly method: string
  readonly head: RequestHead
  readonly reply: Reply
}

const methods = new Set(['POST', 'GET', 'DELETE', 'OPTIONS'])
const allow = ['allow', 'POST, GET, DELETE, OPTIONS'] as const
const noBody = Buffer.alloc(0)

/**
 * The MCP endpoint: `/connectors/<id>/mcp`, for both eras of MCP. A plain Node handler, since Koa's chain costs 15 % of
 * what a call may cost.
 *
 * The order of checks: method, origin, headers, who calls, where to, body, session. Then the call is relayed.
 */
export function createMcpEndpoint(deps: McpEndpointDeps): McpEndpoint {
  const { authenticate, resolveUpstream, publicUrl, clock, tracing, log } = deps
  const limits: ProxyLimits = { ...defaultProxyLimits, ...deps.limits }
  const limitBytes = limits.maxRequestBytes
  const heartbeat = createHeartbeat<Beating & UnderWay>(limits)
  const stopEndingRevoked = endRevoked({ ...deps, visit: heartbeat.visit })
  const origins = createOriginPolicy(publicUrl, deps.allowedOrigins)
  const sessions = createSessionBinding(deps.sessionKeys)
  const clients = createSessionClients()
  const admission = createAdmission(limits, clock)
  const ownSession = createOwnSession({ ...deps, sessions, limits })
  const proofs = createForwardingProofs({ keys: deps.vault.deriveKeys('mcp-forward'), clock: deps.clock })
  const placeProofs = createPlaceProofs({ keys: deps.vault.deriveKeys('mcp-place'), place: deps.place })
  const forward = createForwardSession({ ...deps, proofs, placeProofs, heartbeat })
  const translator = createTranslate({ ...deps, heartbeat, limits, forward })
  const relayCall = createRelayCall({ ...deps, translator, sessions, clients, heartbeat, limits })

  function answer(request: IncomingMessage, response: ServerResponse, call: McpCall): void {
    const head = readRequestHead(request.rawHeaders)
    const cors = head.origin === null ? null : origins.headersFor(head.origin)
    const reply = { call, response, headers: ['x-request-id', call.requestId, ...(cors ?? [])] }
    const refused = (error: unknown) => refuse(request, reply, head, error)
    try {
      const method = request.method ?? ''
      if (!methods.has(method)) throw new AppError('method_not_allowed', 'method not allowed')
      if (head.origin !== null && cors === null) throw new AppError('origin_not_allowed', 'origin not allowed')
      if (method === 'OPTIONS' && head.proof !== null) answerPeer(reply, head.proof)
      else if (method === 'OPTIONS') origins.answerOptions(reply, request.headers['access-control-request-headers'])
      else serve({ request, method, head, reply }).catch(refused)
    } catch (error) {
      refused(error)
    }
  }

  /** Another process of ours asks whether we are who it takes us for. */
  function answerPeer(reply: Reply, nonce: string): void {
    const proof = placeProofs.prove(nonce)
    if (proof === null) throw unknownSession()
    // no call, so not to be counted as one
    reply.call.isForwarded = true
    writeAnswer(reply, { status: 204, headers: [proofHeader, proof] })
  }

  /** Waits only for what is not remembered: for most calls, for the body and for the upstream's answer. @throws AppError */
  function serve(incoming: Incoming): Promise<void> {
    const { request, head, reply } = incoming
    if (head.duplicate !== null) {
      throw new AppError('invalid_request', 'duplicate header', {
        publicDetail: `The header ${head.duplicate} stands twice.`,
      })
    }
    const caller = authenticate(request, head.authorization, reply.call.connectorId)
    return caller instanceof Promise
      ? caller.then((known) => serveTraced(incoming, known))
      : serveTraced(incoming, caller)
  }

  function serveTraced(incoming: Incoming, caller: Caller): Promise<void> {
    const { head, reply } = incoming
    reply.call.principalId = caller.principal.id
    reply.call.tenantId = caller.principal.tenantId
    beginCallSpan(tracing, reply.call, head.forwarded)
    const { context } = reply.call.span
    return context === null ? serveCaller(incoming, caller) : withinTrace(context, () => serveCaller(incoming, caller))
  }

  async function serveCaller({ request, method, head, reply }: Incoming, caller: Caller): Promise<void> {
    const { connectorId } = reply.call
    const { principal } = caller
    if (!isForwarded({ method, head, reply })) admission.take(principal)
    const { contentLength } = head
    const reading = method === 'GET' ? noBody : readRequestBody(request, { contentLength, limitBytes })
    const found = resolveUpstream(principal, connectorId)
    let resolution = found instanceof Promise ? await found : found
    reply.call.isResolved = true
    let body = await reading
    if (body instanceof AppError) throw body
    describeCall({ method, head, reply }, caller, body)
    const { response } = reply
    if (response.destroyed) return
    // what we answer ourselves may wait for a person, and is counted as well
    const origin = resolution.kind === 'usable' ? addressOf(resolution.target.url).origin : `none:${connectorId}`
    reply.call.leave = admission.enter(principal, connectorId, origin)

    if (mayAnswerUs(head, body)) {
      const settled = await ownSession.settle({ reply, principal, method, head, body })
      if (settled?.kind === 'answered') {
        reply.call.failure = 'needs_connection'
        return
      }
      if (settled?.kind === 'relay') body = settled.body
      resolution = await resolveUpstream(principal, connectorId)
    }
    const needs = await relayCall({ request, method, head, reply, caller, body }, resolution)
    if (needs !== null) {
      reply.call.failure = 'needs_connection'
      await ownSession.answer({ reply, principal, method, head, body }, needs)
    }
  }

  /** For what is counted. */
  function describeCall({ method, head, reply }: Omit<Incoming, 'request'>, caller: Caller, body: Buffer): void {
    const { call } = reply
    call.message = readMessage(method, head, body, caller.client === undefined)
    call.client = caller.client ?? call.message.client ?? clients.find(head.sessionId)
  }

  /** @throws AppError `not_found` for a proof that proves nothing: never a loop */
  function isForwarded({ method, head, reply }: Pick<Incoming, 'method' | 'head' | 'reply'>): boolean {
    const { proof, authorization, sessionId } = head
    if (proof === null) return false
    if (!proofs.isProven(proof, { method, path: reply.call.path, authorization, sessionId })) throw unknownSession()
    reply.call.isForwarded = true
    return true
  }

  function refuse(request: IncomingMessage, reply: Reply, head: RequestHead, error: unknown): void {
    const failure = isAppError(error) ? error : new AppError('internal', 'unexpected error', { cause: error })
    reply.call.failure = failure.code
    const status = statusOf(failure)
    if (status >= 500) {
      const { requestId, connectorId } = reply.call
      log[status === 500 ? 'error' : 'warn'](
        { requestId, connectorId, code: failure.code, err: failure },
        'call failed',
      )
    }
    const extra =
      failure.code === 'method_not_allowed'
        ? allow
        : challengeHeaders(publicUrl, reply.call.path, failure, head.authorization)
    if (failure.code === 'unauthenticated' && isBrowser(request)) {
      const { headers, body } = deps.showBrowser(publicUrl.origin + reply.call.path)
      writeAnswer(reply, { status, headers: [...headers, ...extra], body })
    } else writeFailure(reply, failure, extra)
  }

  return {
    handle: answer,
    retireStreams: (sort) => {
      heartbeat.visit((call) => {
        if (sort === 'all' || call.request.method === 'GET') call.retire()
      })
      ownSession.retireStreams()
    },
    stop: () => {
      heartbeat.stop()
      stopEndingRevoked()
      ownSession.stop()
      translator.stop()
    },
  }
}

/** Somebody who looks what is there: no MCP client asks for HTML. */
function isBrowser({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && !headers.authorization && /\btext\/html\b/.test(headers.accept ?? '')
}
