import type { ServerResponse } from 'node:http'
import { advanceSseState, isAtEventBoundary, sseState } from './sse-boundary.ts'

/** Of the answer; header names and values in turn. */
type Head = { readonly status: number; readonly headers: string[] }

const keepAliveComment = Buffer.from(': keepalive\n\n')

/** An answer that is passed on as it comes: what its reader has got, takes, and where it may be ended. */
export class OutgoingStream {
  readonly isEvents: boolean
  /** The reader does not take more at present. */
  isPaused = false
  readonly #response: ServerResponse
  /** Until the first byte goes out: a stream that breaks before that becomes an error. */
  #unsentHead: Head | null
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

  /** Sends the head with whatever follows. Does nothing when it is sent. */
  begin(): void {
    if (this.#unsentHead === null) return
    const { status, headers } = this.#unsentHead
    this.#unsentHead = null
    this.#response.writeHead(status, headers)
  }

  /** The head alone, now. */
  flushHead(): void {
    this.begin()
    this.#response.flushHeaders()
  }

  /** @param chunk not needed any more when this returns. @returns false when the reader cannot keep up */
  pass(chunk: Buffer): boolean {
    this.#quiet = 0
    this.begin()
    if (this.isEvents) this.#sse = advanceSseState(this.#sse, chunk)
    return this.#response.write(Buffer.from(chunk))
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
    this.begin()
    if (this.canBeCut()) this.#response.end()
    else this.#response.destroy()
  }
}
