import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import type { AskPeer } from '../egress/ask-peer.ts'
import { readMessage } from '../insight/read-message.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../log/logger.ts'
import type { RelayMetrics } from '../metrics/relay-metrics.ts'
import type { OpenLegacyTransport } from '../upstream/legacy-transport.ts'
import type { Vault } from '../vault/vault.ts'
import { createAdmission } from './admission.ts'
import { type McpCall, type Reply, writeAnswer } from './call.ts'
import { challengeHeaders } from './challenge.ts'
import { createOriginPolicy } from './cors.ts'
import { endRevoked, type UnderWay } from './end-revoked.ts'
import { statusOf, writeFailure } from './failures.ts'
import { createForwardSession } from './forward-session.ts'
import { createForwardingProofs } from './forwarding-proof.ts'
import { type Beating, createHeartbeat } from './heartbeat.ts'
import { canOpenLinks, readMessages } from './json-rpc.ts'
import { defaultProxyLimits, type ProxyLimits } from './limits.ts'
import type { OwnPlace } from './own-place.ts'
import { createOwnSession, mayAnswerUs } from './own-session.ts'
import type { AuthenticateCaller, BeginConnect, RecoverUnauthorized, ResolveUpstream } from './ports.ts'
import { type RelayOutcome, startRelay } from './relay.ts'
import { readRequestBody } from './request-body.ts'
import { type RequestHead, readRequestHead } from './request-headers.ts'
import { type ClientFeatures, createSessionBinding, featuresOf, type SessionKeys } from './session-binding.ts'
import { createSessionClients } from './session-clients.ts'
import { createTranslate } from './translate.ts'
import { unknownSession } from './unknown-session.ts'
import type { UpstreamDispatcher } from './upstream-dispatcher.ts'
import { toUpstreamRequest } from './upstream-request.ts'

export type McpEndpointDeps = {
  readonly authenticate: AuthenticateCaller
  readonly resolveUpstream: ResolveUpstream
  readonly recoverUnauthorized: RecoverUnauthorized
  readonly changes: Changes
  readonly clock: Clock
  readonly beginConnect: BeginConnect
  /** undici's `Dispatcher` is one; in the product the guarded one. */
  readonly dispatcher: UpstreamDispatcher
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
 * The order of checks: method, origin, headers, who calls, where to, body, session. Then the call is relayed; a refused
 * credential is renewed once and the call repeated once.
 */
export function createMcpEndpoint(deps: McpEndpointDeps): McpEndpoint {
  const { authenticate, resolveUpstream, recoverUnauthorized, dispatcher, publicUrl, metrics, log } = deps
  const limits: ProxyLimits = { ...defaultProxyLimits, ...deps.limits }
  const heartbeat = createHeartbeat<Beating & UnderWay>(limits)
  const stopEndingRevoked = endRevoked({ ...deps, visit: heartbeat.visit })
  const origins = createOriginPolicy(publicUrl, deps.allowedOrigins)
  const sessions = createSessionBinding(deps.sessionKeys)
  const clients = createSessionClients()
  const admission = createAdmission(limits)
  const ownSession = createOwnSession({ ...deps, sessions, limits })
  const proofs = createForwardingProofs({ keys: deps.vault.deriveKeys('mcp-forward'), clock: deps.clock })
  const forward = createForwardSession({ ...deps, proofs, heartbeat })
  const translator = createTranslate({ ...deps, heartbeat, limits, forward })
  const relayDeps = { dispatcher, heartbeat, limits, metrics }

  async function answer(request: IncomingMessage, response: ServerResponse, call: McpCall): Promise<void> {
    const head = readRequestHead(request.rawHeaders)
    const cors = head.origin === null ? null : origins.headersFor(head.origin)
    const reply = { call, response, headers: ['x-request-id', call.requestId, ...(cors ?? [])] }
    try {
      const method = request.method ?? ''
      if (!methods.has(method)) throw new AppError('method_not_allowed', 'method not allowed')
      if (head.origin !== null && cors === null) throw new AppError('origin_not_allowed', 'origin not allowed')
      if (method === 'OPTIONS') origins.answerOptions(reply, request.headers['access-control-request-headers'])
      else await serve({ request, method, head, reply })
    } catch (error) {
      refuse(request, reply, head, error)
    }
  }

  async function serve(incoming: Incoming): Promise<void> {
    const { request, method, head, reply } = incoming
    if (head.duplicate !== null) {
      throw new AppError('invalid_request', 'duplicate header', {
        publicDetail: `The header ${head.duplicate} stands twice.`,
      })
    }
    const caller = await authenticate(request, reply.call.connectorId)
    const { principal } = caller
    reply.call.principalId = principal.id
    reply.call.tenantId = principal.tenantId
    if (!isForwarded({ method, head, reply })) await admission.take(principal)
    const reading = method === 'GET' ? noBody : readRequestBody(request, limits.maxRequestBytes)
    let resolution = await resolveUpstream(principal, reply.call.connectorId)
    reply.call.isResolved = true
    let body = await reading
    if (body instanceof AppError) throw body
    describeCall(incoming, caller, body)
    if (!reply.response.destroyed) {
      const { connectorId } = reply.call
      // what we answer ourselves may wait for a person, and is counted as well
      const upstream = resolution.kind === 'usable' ? resolution.target.url : `none:${connectorId}`
      const leave = admission.enter(principal, connectorId, upstream)
      reply.response.once('close', leave)
    }

    if (mayAnswerUs(head, body)) {
      const settled = await ownSession.settle({ reply, principal, method, head, body })
      if (settled?.kind === 'answered') {
        reply.call.failure = 'needs_connection'
        return
      }
      if (settled?.kind === 'relay') body = settled.body
      resolution = await resolveUpstream(principal, reply.call.connectorId)
    }

    for (const attempt of [1, 2] as const) {
      if (resolution.kind === 'needs_connection' || reply.response.destroyed) break
      const { target } = resolution
      const sentAt = performance.now()
      const outcome = await relayOnce(incoming, caller, target, body)
      metrics.relayed(outcome.kind, performance.now() - sentAt)
      if (outcome.kind === 'failed') throw outcome.error
      if (outcome.kind !== 'unauthorized') return
      const { status, challenge } = outcome
      resolution = await recoverUnauthorized(principal, target, { status, challenge, attempt })
      if (resolution.kind === 'usable') checkReplay(target, resolution.target, attempt, body)
    }
    if (resolution.kind === 'needs_connection') {
      reply.call.failure = 'needs_connection'
      await ownSession.answer({ reply, principal, method, head, body }, resolution)
    }
  }

  /** For what is counted. */
  function describeCall({ method, head, reply }: Incoming, caller: Caller, body: Buffer): void {
    const { call } = reply
    call.message = readMessage(method, head, body, caller.client === undefined)
    call.client = caller.client ?? call.message.client ?? clients.find(head.sessionId)
  }

  /** @throws AppError when the call must not be, or need not be, sent once more (REL-12: never a loop) */
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

  /** @throws AppError `not_found` for a proof that proves nothing: never a loop */
  function isForwarded({ method, head, reply }: Pick<Incoming, 'method' | 'head' | 'reply'>): boolean {
    const { proof, authorization, sessionId } = head
    if (proof === null) return false
    if (!proofs.isProven(proof, { method, path: reply.call.path, authorization, sessionId })) throw unknownSession()
    reply.call.isForwarded = true
    return true
  }

  function relayOnce(
    { request, method, head, reply }: Incoming,
    caller: Caller,
    target: UpstreamTarget,
    body: Buffer,
  ): Promise<RelayOutcome> {
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
    const upstreamRequest = toUpstreamRequest(target, { method, forwarded: head.forwarded, sessionId, body }, limits)
    const relaying = startRelay(relayDeps, { reply, caller, target, request: upstreamRequest, bindSession })
    const { response } = reply
    response.once('close', () => relaying.callerGone())
    return relaying.outcome
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
    handle: (request, response, call) => void answer(request, response, call),
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

/** Read only where an upstream opens a session, that is on the answer to `initialize`. */
function featuresOfClient(body: Buffer): ClientFeatures {
  return readMessages(body)?.messages.some(canOpenLinks) === true ? 'e' : '-'
}

/** Somebody who looks what is there: no MCP client asks for HTML. */
function isBrowser({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && !headers.authorization && /\btext\/html\b/.test(headers.accept ?? '')
}
