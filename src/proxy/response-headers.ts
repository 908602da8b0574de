/** What the head of an upstream's answer says, as far as it matters here. Every value is attacker input. */
export type ResponseHead = {
  readonly contentType: string | null
  /** Null without, or with chunked encoding. */
  readonly contentLength: number | null
  readonly sessionId: string | null
  readonly wwwAuthenticate: string | null
  /** True when the body is compressed or otherwise coded, though we asked for it as it is. */
  readonly isEncoded: boolean
  /** Names and values in turn of what may go on as it came: PX-03 without what is decided elsewhere. */
  readonly passed: string[]
  /** The first header that must not stand twice and does, or whose value is not one. */
  readonly flaw: string | null
}

const visible = /^[\x20-\x7e]+$/
const token = /^[!#$%&'*+.^_`|~\w-]{1,64}$/
const tokenList = /^[\w-]{1,32}(?:, ?[\w-]{1,32}){0,15}$/
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/
const digits = /^\d{1,15}$/

/**
 * Reads the headers of an answer by an allow-list (PX-03); what is not named here does not exist for the caller.
 *
 * How long the body is was settled when the answer was taken apart (`egress/http1/answer-head.ts`). Values are checked again
 * before they are written: bytes come through that Node's writer would refuse.
 *
 * @param headers names in lower case and values, in turn
 */
export function readResponseHead(headers: readonly string[]): ResponseHead {
  let contentType: string | null = null
  let contentLength: number | null = null
  let sessionId: string | null = null
  let wwwAuthenticate: string | null = null
  let isEncoded = false
  let flaw: string | null = null
  const passed: string[] = []

  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    switch (name) {
      case 'content-type':
        if (contentType !== null || !visible.test(value)) flaw ??= name
        else contentType = value
        break
      case 'content-length':
        contentLength = Number(value)
        break
      case 'mcp-session-id':
        if (sessionId !== null) flaw ??= name
        else sessionId = value
        break
      case 'mcp-protocol-version':
        if (token.test(value)) passed.push(name, value)
        break
      case 'retry-after':
        if (digits.test(value) || httpDate.test(value)) passed.push(name, value)
        break
      case 'allow':
        if (tokenList.test(value)) passed.push(name, value)
        break
      case 'www-authenticate':
        wwwAuthenticate = wwwAuthenticate === null ? value : `${wwwAuthenticate}, ${value}`
        break
      case 'content-encoding':
        if (value.toLowerCase() !== 'identity') isEncoded = true
        break
    }
  }
  return { contentType, contentLength, sessionId, wwwAuthenticate, isEncoded, passed, flaw }
}

export type BodyKind = 'none' | 'json' | 'events' | 'text' | 'foreign'

/** The sort of body that a content type announces; parameters do not matter. */
export function bodyKindOf(contentType: string | null): BodyKind {
  if (contentType === null) return 'none'
  if (contentType === 'application/json') return 'json'
  if (contentType === 'text/event-stream') return 'events'
  const end = contentType.indexOf(';')
  switch ((end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()) {
    case 'application/json':
      return 'json'
    case 'text/event-stream':
      return 'events'
    case 'text/plain':
      return 'text'
    default:
      return 'foreign'
  }
}
