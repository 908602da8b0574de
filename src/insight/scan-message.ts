/** What of a JSON-RPC message is of interest for counting; null where it does not say, or not early enough. */
export type Scanned = {
  readonly method: string | null
  /** `params.name` */
  readonly name: string | null
  /** The JSON text of `params.clientInfo`, or of `params._meta["io.modelcontextprotocol/clientInfo"]`. */
  readonly clientInfo: string | null
}

/** So far into a body one looks: clients say what they want before they say with what. */
const maxScanned = 4096
const maxText = 512

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c
const colon = 0x3a
const space = 0x20

type Depth = 0 | 1 | 2

/**
 * Looks for a few members of a JSON-RPC message without parsing it: most of a body is the arguments of a tool, which are
 * nobody's business here. A body that is no JSON gives nothing, or nonsense; it is for counting only.
 *
 * @param wantsClient to go on until the client's name is found, though method and tool are known
 */
export function scanMessage(body: Buffer, wantsClient: boolean): Scanned | 'batch' {
  // of one byte each, whatever they mean: the quickest that V8 has, and JSON's own signs are ASCII
  const scan = new Scan(body.toString('latin1', 0, maxScanned), wantsClient)
  if (scan.isBatch()) return 'batch'
  scan.members(0)
  return scan
}

// A class, since its state is a place in a text that every method moves on.
class Scan implements Scanned {
  method: string | null = null
  name: string | null = null
  clientInfo: string | null = null
  readonly #text: string
  readonly #wantsClient: boolean
  #at = 0

  constructor(text: string, wantsClient: boolean) {
    this.#text = text
    this.#wantsClient = wantsClient
  }

  isBatch(): boolean {
    return this.#next() === openBracket
  }

  /**
   * Reads the members of the object that begins here.
   *
   * @param depth 0: the message; 1: its `params`; 2: their `_meta`
   * @returns false when there is nothing more to find, or no end in reach
   */
  members(depth: Depth): boolean {
    if (this.#next() !== openBrace) return this.#skipValue()
    this.#at += 1
    for (;;) {
      const start = this.#next()
      if (start === closeBrace || start === comma) {
        this.#at += 1
        if (start === closeBrace) return true
        continue
      }
      const keyAt = this.#at + 1
      if (start !== quote || !this.#skipString() || this.#next() !== colon) return false
      this.#at += 1
      if (!this.#member(depth, keyAt) || this.#isDone()) return false
    }
  }

  #member(depth: Depth, keyAt: number): boolean {
    const start = this.#next()
    const from = this.#at
    if (depth === 0 && this.#isKey('params"', keyAt)) return this.members(1)
    if (depth === 1 && this.#isKey('_meta"', keyAt)) return this.members(2)
    if (!this.#skipValue()) return false
    if (start === quote) {
      if (depth === 0 && this.#isKey('method"', keyAt)) this.method = this.#string(from)
      else if (depth === 1 && this.#isKey('name"', keyAt)) this.name = this.#string(from)
    } else if (start === openBrace) {
      const isClient =
        (depth === 1 && this.#isKey('clientInfo"', keyAt)) ||
        (depth === 2 && this.#isKey('io.modelcontextprotocol/clientInfo"', keyAt))
      if (isClient && this.#at - from <= maxText) this.clientInfo = asWritten(this.#text.slice(from, this.#at))
    }
    return true
  }

  #isKey(key: string, at: number): boolean {
    return this.#text.startsWith(key, at)
  }

  #isDone(): boolean {
    const { method, name, clientInfo } = this
    if (method === null || (method === 'tools/call' && name === null)) return false
    return clientInfo !== null || !(this.#wantsClient || method === 'initialize')
  }

  /** The character at the next place that is no white space; NaN at the end. */
  #next(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (!(code <= space)) return code
      this.#at += 1
    }
  }

  /** The string that was skipped last, and began at `from`. */
  #string(from: number): string {
    const raw = asWritten(this.#text.slice(from + 1, Math.min(this.#at - 1, from + 1 + maxText)))
    if (!raw.includes('\\')) return raw
    try {
      return String(JSON.parse(`"${raw}"`))
    } catch {
      return raw
    }
  }

  /** @returns false when it has no end in reach */
  #skipString(): boolean {
    const text = this.#text
    let end = text.indexOf('"', this.#at + 1)
    while (end !== -1 && text.charCodeAt(end - 1) === backslash && isEscaped(text, end))
      end = text.indexOf('"', end + 1)
    this.#at = end === -1 ? text.length : end + 1
    return end !== -1
  }

  /** @returns false when it has no end in reach */
  #skipValue(): boolean {
    const text = this.#text
    let depth = 0
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at)
      if (code === quote) {
        if (!this.#skipString()) return false
        if (depth === 0) return true
        continue
      }
      const isClosing = code === closeBrace || code === closeBracket
      // the end of a number, true, false or null
      if (depth === 0 && (isClosing || code === comma)) return true
      if (code === openBrace || code === openBracket) depth += 1
      else if (isClosing) depth -= 1
      this.#at += 1
      if (isClosing && depth === 0) return true
    }
    return false
  }
}

/** True when the quote at `at` belongs to the string: an odd number of backslashes stands before it. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === backslash) before -= 1
  return (at - 1 - before) % 2 === 1
}

const beyondAscii = /[\u0080-\u00ff]/

function asWritten(bytes: string): string {
  return beyondAscii.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes
}
