import { proofHeader } from './forwarding-proof.ts'

/** Headers of which two would let two readers see two different requests. */
const singletons = new Set([
  'authorization',
  'content-type',
  'mcp-session-id',
  'mcp-protocol-version',
  'last-event-id',
  'origin',
])

/** What passes besides the `mcp-*` family. An allow-list: what is not named here stays here. */
const forwarded = new Set(['accept', 'content-type', 'last-event-id', 'traceparent'])

type Duty =
  | 'drop'
  | 'forward'
  | 'method'
  | 'name'
  | 'session'
  | 'version'
  | 'origin'
  | 'connection'
  | 'authorization'
  | 'length'
  | 'proof'

/** What one scan of a request's headers found. */
export type RequestHead = {
  /** Names (as the caller spelt them) and values in turn, ready for the upstream. */
  readonly forwarded: string[]
  readonly origin: string | null
  readonly authorization: string | null
  /** Of the body; null when it comes in chunks, or there is none. */
  readonly contentLength: number | null
  /** As the caller knows it: bound, see `session-binding.ts`. Not among `forwarded`. */
  readonly sessionId: string | null
  readonly protocolVersion: string | null
  /** `Mcp-Method` and `Mcp-Name` (MCP 2026-07-28, transports); they pass. */
  readonly mcpMethod: string | null
  readonly mcpName: string | null
  /** Of another process of ours that it comes from there; see `forwarding-proof.ts`. */
  readonly proof: string | null
  /** The first header that must not stand twice and does. */
  readonly duplicate: string | null
}

/**
 * Picks what goes upstream (PX-01) and what Patchbay itself needs, in one pass.
 *
 * Every `mcp-*` header passes, known or not: intermediaries must forward unknown `Mcp-Param-*` (MCP 2026-07-28,
 * transports). Headers that `Connection` nominates are meant for us alone (RFC 9110 section 7.6.1).
 *
 * @param rawHeaders names and values in turn, as Node gives them
 */
export function readRequestHead(rawHeaders: readonly string[]): RequestHead {
  const picked: string[] = []
  let origin: string | null = null
  let authorization: string | null = null
  let contentLength: number | null = null
  let sessionId: string | null = null
  let protocolVersion: string | null = null
  let mcpMethod: string | null = null
  let mcpName: string | null = null
  let proof: string | null = null
  let duplicate: string | null = null
  let nominated: Set<string> | null = null
  let seen = ''

  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const known = knowledgeOf(name)
    if (known.duty === 'drop') continue
    if (known.isSingleton) {
      if (seen.includes(known.mark)) duplicate ??= known.lowerCase
      seen += known.mark
    }
    switch (known.duty) {
      case 'authorization':
        authorization = value
        break
      case 'length':
        contentLength = Number(value)
        break
      case 'origin':
        origin = value
        break
      case 'proof':
        proof = value
        break
      case 'session':
        sessionId = value
        break
      case 'connection':
        nominated = readNominated(value, nominated)
        break
      case 'version':
        protocolVersion = value
        picked.push(name, value)
        break
      case 'method':
        mcpMethod = value
        picked.push(name, value)
        break
      case 'name':
        mcpName = value
        picked.push(name, value)
        break
      default:
        picked.push(name, value)
    }
  }

  if (nominated !== null) {
    if (nominated.has('mcp-session-id')) sessionId = null
    if (nominated.has('mcp-protocol-version')) protocolVersion = null
  }
  return {
    forwarded: nominated === null ? picked : withoutNominated(picked, nominated),
    origin,
    authorization,
    contentLength,
    sessionId,
    protocolVersion,
    mcpMethod,
    mcpName,
    proof,
    duplicate,
  }
}

type Knowledge = {
  readonly duty: Duty
  readonly lowerCase: string
  readonly isSingleton: boolean
  readonly mark: string
}

const maxKnownNames = 512
/** Spellings of names seen so far: callers use few, and a look-up is cheaper than lower-casing. */
const knownNames = new Map<string, Knowledge>()

function knowledgeOf(name: string): Knowledge {
  const known = knownNames.get(name)
  if (known !== undefined) return known
  const lowerCase = name.toLowerCase()
  const fresh = { duty: dutyOf(lowerCase), lowerCase, isSingleton: singletons.has(lowerCase), mark: `,${lowerCase},` }
  if (knownNames.size < maxKnownNames) knownNames.set(name, fresh)
  return fresh
}

function dutyOf(lowerCase: string): Duty {
  switch (lowerCase) {
    case 'mcp-session-id':
      return 'session'
    case proofHeader:
      return 'proof'
    case 'mcp-protocol-version':
      return 'version'
    case 'mcp-method':
      return 'method'
    case 'mcp-name':
      return 'name'
    case 'content-length':
      return 'length'
    case 'origin':
    case 'connection':
    case 'authorization':
      return lowerCase
    default:
      return lowerCase.startsWith('mcp-') || forwarded.has(lowerCase) ? 'forward' : 'drop'
  }
}

function readNominated(value: string, before: Set<string> | null): Set<string> | null {
  if (value === 'keep-alive' || value === 'close') return before
  const names = value.split(',').map((name) => name.trim().toLowerCase())
  return new Set([...(before ?? []), ...names])
}

function withoutNominated(headers: string[], nominated: ReadonlySet<string>): string[] {
  return headers.filter((_, index) => !nominated.has((headers[index - (index % 2)] ?? '').toLowerCase()))
}
