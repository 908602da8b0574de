import { protocolError } from './protocol-error.ts'

/** How long a body is (RFC 9112 section 6.3): so many bytes, in chunks, or until the connection is closed. */
export type Framing = number | 'chunked' | 'until_close'

export type AnswerHead = {
  readonly status: number
  /** Names in lower case and values, in turn. */
  readonly headers: string[]
  readonly framing: Framing
  /** The connection may serve another request after this answer. */
  readonly isKept: boolean
  /** For how long the other side says it keeps an idle connection, in seconds; null when it does not say. */
  readonly keptSeconds: number | null
}

/**
 * A status line and header lines, nothing else: no line begins with a space (RFC 9112 section 5.2), none ends in a bare LF,
 * nothing stands between a name and its colon (5.1), no control character is anywhere. Once it fits, splitting at CRLF and at
 * the first colon cannot go wrong.
 */
const grammar =
  /^HTTP\/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[\w!#$%&'*+\-.^`|~]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const digits = /^\d{1,15}$/
const timeout = /(?:^|[,; ])timeout=(\d{1,6})(?:$|[,; ])/i

/**
 * Reads the head of an answer.
 *
 * What leaves room for two opinions on where the body ends is refused, whatever RFC 9112 would let pass (6.1, 6.3): two
 * lengths, a length beside chunks, any transfer coding but `chunked`, chunks from HTTP/1.0.
 *
 * @param text Latin-1, up to and with the CRLF of the last header
 * @param method of the request: there is no body after HEAD
 * @throws AppError `upstream_protocol_error`
 */
export function parseAnswerHead(text: string, method: string): AnswerHead {
  if (!grammar.test(text)) throw protocolError('not an HTTP/1.1 head')
  const isVersion11 = text.charCodeAt(7) === 0x31
  const status = Number(text.slice(9, 12))
  const headers: string[] = []
  let length: number | null = null
  let isChunked = false
  let isKept = isVersion11
  let keptSeconds: number | null = null

  for (let at = text.indexOf('\r\n') + 2; at < text.length; ) {
    const end = text.indexOf('\r\n', at)
    const colon = text.indexOf(':', at)
    const name = text.slice(at, colon).toLowerCase()
    const value = text.slice(colon + 1, end).trim()
    at = end + 2
    headers.push(name, value)
    switch (name) {
      case 'content-length':
        if (length !== null || !digits.test(value)) throw protocolError('bad header: content-length')
        length = Number(value)
        break
      case 'transfer-encoding':
        if (isChunked || !isVersion11 || value.toLowerCase() !== 'chunked') {
          throw protocolError('bad header: transfer-encoding')
        }
        isChunked = true
        break
      case 'connection':
        if (value.toLowerCase() !== 'keep-alive') isKept = false
        break
      case 'keep-alive':
        keptSeconds = Number(timeout.exec(value)?.[1] ?? Number.NaN)
        if (Number.isNaN(keptSeconds)) keptSeconds = null
        break
    }
  }
  if (isChunked && length !== null) throw protocolError('bad header: transfer-encoding')
  const isBodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  // a body that must not be there would be taken for the next answer
  if (isBodiless && (isChunked || (length ?? 0) > 0)) isKept = false
  const framing = isBodiless ? 0 : isChunked ? 'chunked' : (length ?? 'until_close')
  return { status, headers, framing, isKept: isKept && framing !== 'until_close', keptSeconds }
}
