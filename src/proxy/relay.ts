import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import type { AnswerHandler, UpstreamClient, UpstreamExchange, UpstreamRequest } from '../egress/http1/exchange.ts'
import { protocolError } from '../egress/http1/protocol-error.ts'
import { AppError } from '../kernel/app-error.ts'
import type { RelayMetrics } from '../metrics/relay-metrics.ts'
import type { Challenge } from '../upstream/challenge.ts'
import { type AnswerPlan, planAnswer } from './answer-plan.ts'
import { commonHeaders, type Reply, writeAnswer } from './call.ts'
import type { UnderWay } from './end-revoked.ts'
import type { Beating, Heartbeat } from './heartbeat.ts'
import type { ProxyLimits } from './limits.ts'
import { OutgoingStream } from './outgoing-stream.ts'
import { type ResponseHead, readResponseHead } from './response-headers.ts'
import { toUpstreamFailure } from './upstream-failure.ts'

/** What came of one attempt. With `answered` the caller has, or is getting, an answer. */
export type RelayOutcome =
  | { readonly kind: 'answered' | 'caller_gone' }
  | { readonly kind: 'unauthorized'; readonly status: 401 | 403; readonly challenge: Challenge | null }
  | { readonly kind: 'failed'; readonly error: AppError }

export type RelayDeps = {
  readonly upstreams: UpstreamClient
  readonly heartbeat: Heartbeat<Beating & UnderWay>
  readonly limits: ProxyLimits
  readonly metrics: RelayMetrics
}

export type Attempt = {
  readonly reply: Reply
  readonly caller: Caller
  readonly target: UpstreamTarget
  readonly request: UpstreamRequest
  /** The session id by which the caller knows the upstream's; null when the upstream's cannot be one. */
  readonly bindSession: (upstreamId: string) => string | null
}

/** A call under way. `outcome` settles as soon as it is decided, which for a stream is at its beginning. */
export type Relaying = { readonly outcome: Promise<RelayOutcome>; callerGone(): void }

/** Sends one request upstream and passes the answer on, with backpressure and aborts in both directions. */
export function startRelay(deps: RelayDeps, attempt: Attempt): Relaying {
  const relay = new Relay(deps, attempt)
  relay.start()
  return relay
}

const answered: RelayOutcome = { kind: 'answered' }
const hungUp: RelayOutcome = { kind: 'caller_gone' }

type Phase = 'waiting' | 'holding' | 'streaming' | 'done'

// A class, since one of these is made per call: methods on a prototype cost nothing per instance.
class Relay implements AnswerHandler, Beating, UnderWay, Relaying {
  readonly outcome: Promise<RelayOutcome>
  slot = -1
  readonly #deps: RelayDeps
  readonly #attempt: Attempt
  readonly #response: ServerResponse
  #settle: (outcome: RelayOutcome) => void = () => {}
  #phase: Phase = 'waiting'
  #exchange: UpstreamExchange | null = null

  #status = 0
  #head: ResponseHead | null = null
  #plan: AnswerPlan | null = null
  /** Latin-1: a text goes out with the head in one piece. */
  #held = ''
  #heldBytes = 0
  #stream: OutgoingStream | null = null
  /** All of the answer has come. */
  #isWhole = false
  /** It is about to be sent, or its beginning. */
  #isDue = false
  #isRetired = false
  /** Beats since the upstream sent something, and in all. */
  #silent = 0
  #age = 0

  constructor(deps: RelayDeps, attempt: Attempt) {
    this.#deps = deps
    this.#attempt = attempt
    this.#response = attempt.reply.response
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  get request(): IncomingMessage {
    return this.#response.req
  }

  get caller(): Caller {
    return this.#attempt.caller
  }

  get target(): UpstreamTarget {
    return this.#attempt.target
  }

  start(): void {
    this.#deps.heartbeat.add(this)
    try {
      this.#exchange = this.#deps.upstreams.dispatch(this.#attempt.request, this)
    } catch (error) {
      this.onFailure(error)
    }
  }

  onHead(status: number, headers: readonly string[]): void {
    const head = readResponseHead(headers)
    const plan = planAnswer(status, head, this.#attempt.request.method, this.#deps.limits)
    this.#status = status
    this.#head = head
    this.#plan = plan
    this.#silent = 0
    switch (plan.kind) {
      case 'unauthorized':
        this.#finish(plan)
        this.#exchange?.abort()
        break
      case 'refuse':
        this.#fail(protocolError(plan.reason))
        break
      case 'hold':
      case 'discard':
        this.#phase = 'holding'
        break
      default:
        this.#beginStream(head, plan.kind === 'events')
    }
  }

  onData(chunk: Buffer): boolean {
    this.#silent = 0
    if (this.#phase === 'holding') this.#hold(chunk)
    else if (this.#phase === 'streaming' && this.#stream !== null) return this.#pass(this.#stream, chunk)
    return true
  }

  onEnd(): void {
    this.#isWhole = true
    if (this.#stream?.hasBegun) this.#finishStream(this.#stream)
    else this.#sendSoon()
  }

  onFailure(error: unknown): void {
    if (this.#phase !== 'done') this.#fail(toUpstreamFailure(error))
  }

  /** The caller hung up: the upstream must hear of it, since for it that means "cancel" (MCP 2026-07-28, PX-11). */
  callerGone(): void {
    if (this.#phase === 'done') return
    this.#finish(hungUp)
    this.#exchange?.abort()
  }

  beat(): void {
    const { beats } = this.#deps.heartbeat
    this.#silent += 1
    this.#age += 1
    const stream = this.#stream
    if (this.#phase === 'waiting') {
      if (this.#silent > beats.answer) this.#fail(new AppError('upstream_timeout', 'no answer in time'))
    } else if (stream !== null && (stream.isEvents || stream.isPaused)) {
      if (this.#silent > beats.idle || this.#age > beats.life + beats.stall) this.#endStream()
      else if (this.#age > beats.life) this.retire()
      else stream.beat(beats.keepAlive)
    } else if (this.#silent > beats.stall) this.#fail(new AppError('upstream_timeout', 'the answer came to a halt'))
  }

  /** An event stream ends at its next event boundary; anything else is short enough to be waited for. */
  retire(): void {
    this.#isRetired = true
    if (this.#phase === 'streaming' && this.#stream?.canBeCut()) this.#endStream()
  }

  cut(error: AppError | null): void {
    if (this.#phase === 'streaming' && this.#stream?.isEvents) this.#endStream()
    else if (this.#phase !== 'done' && error !== null) this.#fail(error)
  }

  #beginStream(head: ResponseHead, isEvents: boolean): void {
    const headers = this.#headersFor(head, true)
    if (headers === null) return
    headers.push(...this.#attempt.reply.headers, ...commonHeaders, 'x-accel-buffering', 'no')
    // comments change the length of an event stream
    const length = isEvents ? null : head.contentLength
    this.#phase = 'streaming'
    this.#stream = new OutgoingStream(this.#response, { status: this.#status, headers, length }, isEvents)
    if (isEvents) {
      this.#deps.metrics.streamOpened()
      // without waiting for its first event (REL-23)
      this.#sendSoon()
    }
    if (this.#isRetired) this.retire()
  }

  /**
   * With the answers to others that come in the same turn of the event loop, since a send that wakes its reader costs several
   * times one that does not; and with all that comes of this one by then, which often is the rest.
   */
  #sendSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(send, this)
  }

  send(): void {
    this.#isDue = false
    const stream = this.#stream
    if (this.#phase === 'holding') this.#answerHeld(this.#held)
    else if (this.#phase !== 'streaming' || stream === null) return
    else if (this.#isWhole) this.#finishStream(stream)
    else {
      stream.begin()
      this.#settle(answered)
    }
  }

  #finishStream(stream: OutgoingStream): void {
    stream.finish()
    this.#finish(answered)
  }

  #pass(stream: OutgoingStream, chunk: Buffer): boolean {
    const hasRoom = stream.pass(chunk)
    if (stream.hasBegun) this.#settle(answered)
    else this.#sendSoon()
    if (this.#isRetired && stream.canBeCut()) {
      this.#endStream()
      return true
    }
    if (!hasRoom) {
      stream.whenRoom(() => {
        this.#silent = 0
        this.#exchange?.resume()
      })
    }
    return hasRoom
  }

  #hold(chunk: Buffer): void {
    const plan = this.#plan
    this.#heldBytes += chunk.length
    if (plan?.kind === 'hold' && this.#heldBytes <= plan.maxBytes) this.#held += chunk.toString('latin1')
    else if (plan?.kind === 'hold' && plan.whenLonger === 'refuse') this.#fail(protocolError('unexpected body'))
    else if (this.#heldBytes > this.#deps.limits.maxHeldBytes) {
      this.#answerHeld('')
      this.#exchange?.abort()
    }
  }

  #answerHeld(body: string): void {
    if (this.#head === null) return
    const headers = this.#headersFor(this.#head, this.#plan?.kind === 'hold')
    if (headers === null) return
    writeAnswer(this.#attempt.reply, { status: this.#status, headers, body, encoding: 'latin1' })
    this.#finish(answered)
  }

  /** What of the upstream's head the caller gets, names and values in turn; null when it was refused instead. */
  #headersFor(head: ResponseHead, hasBody: boolean): string[] | null {
    const headers = head.passed
    if (hasBody && head.contentType !== null) headers.push('content-type', head.contentType)
    if (head.sessionId !== null) {
      const bound = this.#attempt.bindSession(head.sessionId)
      if (bound === null) {
        this.#fail(protocolError('bad header: mcp-session-id'))
        return null
      }
      headers.push('mcp-session-id', bound)
    }
    return headers
  }

  /** Ended by us. */
  #endStream(): void {
    this.#finish(answered)
    this.#stream?.end()
    this.#exchange?.abort()
  }

  /**
   * Before anything was sent the caller gets an error, after that a broken connection: never a clean end (PX-09). Events that wait to be
   * sent are sent before: one of them may be the result of a call that must not be made twice.
   */
  #fail(error: AppError): void {
    const stream = this.#phase === 'streaming' ? this.#stream : null
    const broken = stream !== null && (stream.hasBegun || (stream.isEvents && !stream.isEmpty)) ? stream : null
    if (broken !== null) this.#attempt.reply.call.failure = error.code
    this.#finish(broken === null ? { kind: 'failed', error } : answered)
    broken?.breakOff()
    this.#exchange?.abort()
  }

  #finish(outcome: RelayOutcome): void {
    if (this.#phase === 'streaming' && this.#stream?.isEvents) this.#deps.metrics.streamClosed()
    this.#phase = 'done'
    this.#deps.heartbeat.remove(this)
    this.#settle(outcome)
  }
}

/** Nobody is above this to hear of a failure. */
function send(relay: Relay): void {
  try {
    relay.send()
  } catch (error) {
    relay.onFailure(new AppError('internal', 'the answer cannot be written', { cause: error }))
  }
}
