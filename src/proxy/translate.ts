import type { IncomingMessage } from 'node:http'
import { type JSONRPCMessage, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Challenge } from '../upstream/challenge.ts'
import type { LegacyTransportKind, OpenLegacyTransport } from '../upstream/legacy-transport.ts'
import type { Vault } from '../vault/vault.ts'
import { type Reply, writeAnswer } from './call.ts'
import type { UnderWay } from './end-revoked.ts'
import type { ForwardSession } from './forward-session.ts'
import type { Beating, Heartbeat } from './heartbeat.ts'
import { homeOf, newHomedId } from './homed-session-id.ts'
import type { ProxyLimits } from './limits.ts'
import type { Home, OwnPlace } from './own-place.ts'
import type { RelayOutcome } from './relay.ts'
import { createTranslatedSession, type TranslatedSession } from './translated-session.ts'
import { openStream } from './translated-stream.ts'
import { unknownSession } from './unknown-session.ts'

type Deps = {
  readonly openTransport: OpenLegacyTransport
  readonly heartbeat: Heartbeat<Beating & UnderWay>
  readonly limits: ProxyLimits
  readonly vault: Vault
  readonly place: OwnPlace
  readonly forward: ForwardSession
}

export type TranslatedCall = {
  readonly request: IncomingMessage
  readonly reply: Reply
  readonly caller: Caller
  readonly target: UpstreamTarget
  readonly kind: LegacyTransportKind
  readonly body: Buffer
  /** As `open` named it; null without. */
  readonly sessionId: string | null
  /** The same as the caller knows it. */
  readonly boundSessionId: string | null
  /** It comes from another process of ours. */
  readonly isForwarded: boolean
  readonly bindSession: (id: string) => string | null
}

type Held = {
  readonly session: TranslatedSession
  readonly principalId: string
  readonly connectionId: string
  readonly grantEpoch: number
  target: UpstreamTarget
  refusal: Refusal | null
  usedAt: number
}
type Refusal = { readonly status: 401 | 403; readonly challenge: Challenge | null }

const answered: RelayOutcome = { kind: 'answered' }
const bodySchema = z.union([
  JSONRPCMessageSchema.transform((message) => [message]),
  z.array(JSONRPCMessageSchema).min(1).max(100),
])

export type Translate = ReturnType<typeof createTranslate>

/**
 * Serves callers of Streamable HTTP (up to 2025-11-25) from upstreams of HTTP+SSE or WebSocket. Such an upstream has
 * sessions that live on one connection, so they are kept here, in the process that opened them. A call for a session of
 * another process is sent there.
 */
export function createTranslate({ openTransport, heartbeat, limits, vault, place, forward }: Deps) {
  const sessions = new Map<string, Held>()
  const timer = setInterval(endIdle, 60_000).unref()

  function endIdle(): void {
    const before = performance.now() - limits.idleMs
    for (const { session, usedAt } of sessions.values()) if (usedAt < before && !session.isBusy()) session.end()
  }

  async function open(call: TranslatedCall): Promise<{ id: string; held: Held }> {
    const { target, kind } = call
    const principalId = call.caller.principal.id
    makeRoom(principalId)
    const id = newHomedId(vault, place)
    const state: { held: Held | null; refusal: Refusal | null } = { held: null, refusal: null }
    const transport = openTransport({
      kind,
      url: new URL(target.url),
      headers: () => (state.held?.target ?? target).headers,
      onRefused(status, challenge) {
        state.refusal = { status, challenge }
        if (state.held !== null) state.held.refusal = state.refusal
      },
    })
    const session = createTranslatedSession(transport, () => sessions.delete(id))
    try {
      await within(limits.answerTimeoutMs, transport.start())
    } catch (error) {
      session.end()
      if (state.refusal !== null) throw new Unauthorized(state.refusal)
      throw isAppError(error) ? error : new AppError('upstream_unreachable', 'no session', { cause: error })
    }
    const { connectionId, grantEpoch } = target
    const held = { session, principalId, connectionId, grantEpoch, target, refusal: null, usedAt: performance.now() }
    state.held = held
    sessions.set(id, held)
    return { id, held }
  }

  /** Who opens session after session ends his own, before those of others. */
  function makeRoom(principalId: string): void {
    const all = [...sessions.values()]
    const own = all.filter((held) => held.principalId === principalId)
    if (own.length >= limits.translatedSessions / 2) evictOneOf(own)
    else if (all.length >= limits.translatedSessions) evictOneOf(all)
  }

  function evictOneOf(some: readonly Held[]): void {
    const idle = some.filter(({ session }) => !session.isBusy())
    const oldest = idle.sort((a, b) => a.usedAt - b.usedAt)[0]
    if (oldest === undefined) throw new AppError('too_many_calls', 'too many translated sessions')
    oldest.session.end()
  }

  function find({ sessionId, target }: TranslatedCall): Held {
    const held = sessionId === null ? undefined : sessions.get(sessionId)
    // a new grant may be of another account
    if (held === undefined || held.session.isOver() || held.grantEpoch !== target.grantEpoch) {
      if (held !== undefined) held.session.end()
      throw unknownSession()
    }
    held.target = target
    held.usedAt = performance.now()
    return held
  }

  async function post(call: TranslatedCall): Promise<RelayOutcome> {
    const messages = readBody(call.body)
    const isInitialize = messages.some((message) => 'method' in message && message.method === 'initialize')
    if (!isInitialize && call.sessionId === null) {
      // as older servers answer it, so that clients of both eras try the older one (MCP 2026-07-28, compatibility)
      const error = { code: -32000, message: 'Bad Request: Server not initialized' }
      writeJson(call.reply, 400, { jsonrpc: '2.0', error, id: null })
      return answered
    }
    const opened = isInitialize ? await open(call) : null
    const held = opened?.held ?? find(call)
    const { session } = held
    if (opened !== null && call.reply.response.destroyed) {
      // nobody will ever know its id
      session.end()
      return { kind: 'caller_gone' }
    }
    const asked = messages.filter((message) => 'method' in message && 'id' in message)
    if (asked.some((message) => 'id' in message && message.id !== undefined && session.isAsked(message.id))) {
      throw new AppError('invalid_request', 'JSON-RPC id in use', {
        publicDetail: 'A request with this id is under way.',
      })
    }
    const bound = opened === null ? null : call.bindSession(opened.id)
    const headers = bound === null ? [] : ['mcp-session-id', bound]
    held.refusal = null
    const sendAll = async (): Promise<void> => {
      for (const message of messages) await session.send(message)
    }
    if (asked.length === 0) {
      await sendAll()
      writeAnswer(call.reply, { status: 202, headers })
      return answered
    }
    // a refused credential is noticed before the answer's head is sent
    const stream = lazyStream(() => {
      const opening = openStream({ ...call, headers, heartbeat }, () => session.forget(stream))
      return opening
    })
    session.expect(asked, stream)
    try {
      await sendAll()
    } catch (error) {
      session.forget(stream)
      if (opened !== null) session.end()
      if (held.refusal !== null) throw new Unauthorized(held.refusal)
      throw isAppError(error) ? error : new AppError('upstream_error', 'not sent', { cause: error })
    }
    stream.open()
    return answered
  }

  /** Where the session of a call lives, unless that is here, or nowhere. */
  function elsewhere({ sessionId }: TranslatedCall): Home | null {
    if (sessionId === null || sessions.has(sessionId)) return null
    const home = homeOf(vault, sessionId)
    return home?.process === place.process ? null : home
  }

  return {
    /** Never rejects. */
    async serve(call: TranslatedCall): Promise<RelayOutcome> {
      try {
        const home = elsewhere(call)
        if (home !== null) {
          await forward(call, home)
          return answered
        }
        const { method } = call.request
        if (method === 'POST') return await post(call)
        const { session } = find(call)
        if (method === 'DELETE') {
          session.end()
          writeAnswer(call.reply, { status: 200 })
        } else {
          const stream = openStream({ ...call, headers: [], heartbeat }, () => session.forget(stream))
          session.listen(stream)
        }
        return answered
      } catch (error) {
        if (error instanceof Unauthorized) return { kind: 'unauthorized', ...error.refusal }
        return {
          kind: 'failed',
          error: isAppError(error) ? error : new AppError('internal', 'translation', { cause: error }),
        }
      }
    },
    stop(): void {
      clearInterval(timer)
      for (const { session } of [...sessions.values()]) session.end()
    },
  }
}

class Unauthorized extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super('the upstream refused the credential')
    this.refusal = refusal
  }
}

/** A stream whose head is sent when it is opened, or with its first message. */
function lazyStream(open: () => ReturnType<typeof openStream>) {
  let stream: ReturnType<typeof openStream> | null = null
  const opened = () => {
    stream ??= open()
    return stream
  }
  return {
    open: opened,
    isOpen: () => stream?.isOpen() ?? true,
    send: (message: object) => opened().send(message),
    end: (isClean: boolean) => opened().end(isClean),
  }
}

function readBody(body: Buffer): JSONRPCMessage[] {
  try {
    return bodySchema.parse(JSON.parse(body.toString('utf8')))
  } catch (cause) {
    throw new AppError('invalid_request', 'not JSON-RPC', { cause })
  }
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new AppError('upstream_timeout', 'no session in time')), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function writeJson(reply: Reply, status: number, body: object): void {
  writeAnswer(reply, { status, headers: ['content-type', 'application/json'], body: JSON.stringify(body) })
}
