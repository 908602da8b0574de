import type { ServerResponse } from 'node:http'
import { advanceSseState, isAtEventBoundary, sseState } from './sse-boundary.ts'

/** Of the answer; header names and values in turn, and the body's length where it is known. */
type Head = { readonly status: number; readonly headers: string[]; readonly length: number | null }

const keepAliveComment = Buffer.from(': keepalive\n\n')
/** More than one read brings does not wait for the head. */
const maxEarlyBytes = 64 * 1024

/** An answer that is passed on as it comes: what its reader has got, takes, and where it may be ended. */
export class OutgoingStream {
  readonly isEvents: boolean
  /** The reader does not take more at present. */
  isPaused = false
  readonly #response: ServerResponse
  /** Until the first byte goes out: a stream that breaks before that becomes an error. */
  #unsentHead: Head | null
  /** What waits for the head, as Latin-1: a text goes out with it in one piece. */
  #early = ''
  #sse: number = sseState.atBoundary
  /** Beats since the reader was sent something. */
  #quiet = 0

  constructor(response: ServerResponse, head: Head, isEvents: boolean) {
    this.#response = response
    this.#unsentHead = head
    this.isEvents = isEvents
  }

  get hasBegun(): boolean {
    return this.#unsentHead === null
  }

  /** Its reader has been sent nothing, and nothing waits to be sent. */
  get isEmpty(): boolean {
    return this.#unsentHead !== null && this.#early === ''
  }

  /** Sends the head with what waits for it. Does nothing when it is sent. @returns false when the reader cannot keep up */
  begin(): boolean {
    if (this.#unsentHead === null) return true
    const early = this.#early
    this.#writeHead(this.#unsentHead, this.#unsentHead.length)
    if (early !== '') return this.#response.write(early, 'latin1')
    this.#response.flushHeaders()
    return true
  }

  /** @param chunk not needed any more when this returns. @returns false when the reader cannot keep up */
  pass(chunk: Buffer): boolean {
    this.#quiet = 0
    if (this.isEvents) this.#sse = advanceSseState(this.#sse, chunk)
    if (this.#unsentHead === null) return this.#response.write(Buffer.from(chunk))
    this.#early += chunk.toString('latin1')
    return this.#early.length < maxEarlyBytes || this.begin()
  }

  /** All of it was passed. What is over before anything was sent goes out with its length, in one piece. */
  finish(): void {
    if (this.#unsentHead === null) {
      this.#response.end()
      return
    }
    const body = this.#early
    this.#writeHead(this.#unsentHead, body.length)
    this.#response.end(body, 'latin1')
  }

  /** The reader could not keep up: tells when it takes more again. */
  whenRoom(goOn: () => void): void {
    this.isPaused = true
    this.#response.once('drain', () => {
      this.isPaused = false
      goOn()
    })
  }

  /** A beat went by: who hears nothing for long gets a comment, between two events. */
  beat(beatsPerKeepAlive: number): void {
    this.#quiet += 1
    if (this.#quiet < beatsPerKeepAlive || this.isPaused || !this.canBeCut()) return
    this.#quiet = 0
    this.begin()
    this.#response.write(keepAliveComment)
  }

  /** It is between two events. */
  canBeCut(): boolean {
    return this.isEvents && isAtEventBoundary(this.#sse)
  }

  /** Our own end of it: clean between two events, else visibly broken (PX-09). */
  end(): void {
    if (this.canBeCut()) {
      this.begin()
      this.#response.end()
    } else this.breakOff()
  }

  /** Its reader gets what is here, and sees that there should have been more. */
  breakOff(): void {
    this.begin()
    // Node sends what was written in this tick when it is over
    process.nextTick(destroy, this.#response)
  }

  #writeHead({ status, headers }: Head, length: number | null): void {
    if (length !== null) headers.push('content-length', String(length))
    this.#response.writeHead(status, headers)
    this.#unsentHead = null
    this.#early = ''
  }
}

function destroy(response: ServerResponse): void {
  response.destroy()
}
