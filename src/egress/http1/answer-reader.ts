import { type AnswerHead, parseAnswerHead } from './answer-head.ts'
import { protocolError } from './protocol-error.ts'

/** Hears what is read. It may stop the reader at any time. */
export type AnswerSink = {
  onHead(head: AnswerHead): void
  /** @param bytes a part of what was handed to the reader */
  onData(bytes: Buffer): void
  /** @param isClean false when there were bytes after the answer: what follows on this connection is nobody's */
  onEnd(isClean: boolean): void
}

const maxHeadBytes = 16 * 1024
/** With its extensions, which nobody uses. */
const maxChunkLineBytes = 1024
/** A server that keeps on saying "wait" (1xx) is never silent, and never answers. */
const maxInformational = 16
const chunkLine = /^([\da-f]{1,8})(?:;[\w!#$%&'*+\-.^`|~]+(?:=(?:[\w!#$%&'*+\-.^`|~]+|"[ !#-[\]-~]*"))?)*\r\n$/i
const trailerLine = /^[\w!#$%&'*+\-.^`|~]+:[\t\x20-\x7e\x80-\xff]*\r\n$/
const headEnd = Buffer.from('\r\n\r\n')
const lineFeed = 0x0a

type State = 'stopped' | 'head' | 'length' | 'until_close' | 'chunk_line' | 'chunk' | 'chunk_end' | 'trailers'

/**
 * Finds the parts of answers in the bytes of one connection (RFC 9112), one answer for each `begin`, and passes the body on as it
 * comes. Keeps at most one head. Written for this place: undici's parser, a WebAssembly module that calls back for each header
 * of each answer, took a third of what a relayed call costs (docs/performance.md); it is what tests compare this one with.
 */
export class AnswerReader {
  readonly #sink: AnswerSink
  #state: State = 'stopped'
  #method = ''
  #informational = 0
  /** The beginning of a head, when not all of it has come. */
  #partialHead: Buffer | null = null
  /** The beginning of a line of the chunked coding. */
  #partialLine = ''
  #trailerBytes = 0
  /** Of the body, or of the chunk. */
  #left = 0

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** The next bytes are the answer to a request with this method. */
  begin(method: string): void {
    this.#state = 'head'
    this.#method = method
    this.#informational = 0
    this.#partialHead = null
    this.#partialLine = ''
    this.#trailerBytes = 0
  }

  /** Reads no further, also in the middle of what it was handed. */
  stop(): void {
    this.#state = 'stopped'
    this.#partialHead = null
  }

  /** @throws AppError `upstream_protocol_error`; the connection is of no use then */
  read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      switch (this.#state) {
        case 'stopped':
          return
        case 'head':
          at = this.#readHead(bytes, at)
          break
        case 'length':
        case 'chunk':
          at = this.#readCounted(bytes, at)
          break
        case 'until_close':
          this.#sink.onData(at === 0 ? bytes : bytes.subarray(at))
          return
        default:
          at = this.#readLine(bytes, at)
      }
    }
  }

  /** The other side will send nothing more. @returns whether the answer was complete with that */
  finish(): boolean {
    if (this.#state !== 'until_close') return false
    this.#end(true)
    return true
  }

  #readHead(bytes: Buffer, from: number): number {
    const before = this.#partialHead?.length ?? 0
    const all = this.#partialHead === null ? bytes : Buffer.concat([this.#partialHead, bytes.subarray(from)])
    const start = this.#partialHead === null ? from : 0
    // the end may have been cut in two
    const end = all.indexOf(headEnd, Math.max(start, before - 3))
    if ((end === -1 ? all.length : end) - start > maxHeadBytes) throw protocolError('the head is too long')
    if (end === -1) {
      // a copy, since the memory is used again
      this.#partialHead = this.#partialHead === null ? Buffer.from(all.subarray(start)) : all
      return bytes.length
    }
    this.#partialHead = null
    const head = parseAnswerHead(all.toString('latin1', start, end + 2), this.#method)
    const next = end + 4 - (all === bytes ? 0 : before - from)
    if (head.status < 200) this.#passOver(head.status)
    else this.#beginBody(head, next === bytes.length)
    return next
  }

  #passOver(status: number): void {
    this.#informational += 1
    // nobody asked it to, by Expect or by Upgrade
    if (status <= 101) throw protocolError('an unasked 100 or 101')
    if (this.#informational > maxInformational) throw protocolError('too many 1xx answers')
  }

  #beginBody(head: AnswerHead, isAll: boolean): void {
    const { framing } = head
    if (framing === 'chunked') this.#state = 'chunk_line'
    else if (framing === 'until_close') this.#state = framing
    else {
      this.#state = 'length'
      this.#left = framing
    }
    this.#sink.onHead(head)
    if (framing === 0 && this.#state === 'length') this.#end(isAll)
  }

  #readCounted(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    this.#sink.onData(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    if (this.#left === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk_end'
      else if (this.#state === 'length') this.#end(end === bytes.length)
    }
    return end
  }

  /** One line of the chunked coding, or what has come of it (RFC 9112 section 7.1). */
  #readLine(bytes: Buffer, at: number): number {
    const feed = bytes.indexOf(lineFeed, at)
    const end = feed === -1 ? bytes.length : feed + 1
    if (this.#partialLine.length + end - at > maxChunkLineBytes) throw protocolError('a line of the body is too long')
    const line = this.#partialLine + bytes.toString('latin1', at, end)
    this.#partialLine = feed === -1 ? line : ''
    if (feed !== -1) this.#takeLine(line, end === bytes.length)
    return end
  }

  #takeLine(line: string, isAll: boolean): void {
    if (this.#state === 'chunk_line') {
      const size = chunkLine.exec(line)?.[1]
      if (size === undefined) throw protocolError('bad chunk')
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? 'trailers' : 'chunk'
    } else if (this.#state === 'chunk_end') {
      if (line !== '\r\n') throw protocolError('bad chunk')
      this.#state = 'chunk_line'
    } else if (line === '\r\n') this.#end(isAll)
    else {
      // trailers are read and dropped: nothing in MCP is in them
      this.#trailerBytes += line.length
      if (this.#trailerBytes > maxHeadBytes || !trailerLine.test(line)) throw protocolError('bad trailer')
    }
  }

  #end(isAll: boolean): void {
    this.#state = 'stopped'
    this.#sink.onEnd(isAll)
  }
}
