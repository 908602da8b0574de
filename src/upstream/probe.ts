import type { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Secret } from '../kernel/secret.ts'
import type { LegacyTransportKind, OpenLegacyTransport } from './legacy-transport.ts'
import { probeLegacyTransport } from './probe-legacy-transport.ts'
import {
  isWorthLegacyAttempt,
  lateOutcomeOf,
  type Observed,
  observe,
  outcomeOf,
  type ProbeOutcome,
} from './probe-observation.ts'

export type { ProbeOutcome } from './probe-observation.ts'

export type ProbeRequest = {
  readonly url: URL
  /** The credential to try, by header name. */
  readonly headers: Readonly<Record<string, Secret>>
  /** As the connector says (default `auto`: Streamable HTTP, and HTTP+SSE where that is not spoken). */
  readonly transport?: 'auto' | 'streamable_http' | LegacyTransportKind
}

export type Probe = (request: ProbeRequest) => Promise<ProbeOutcome>

export type ProbeDeps = {
  readonly fetch: GuardedFetch
  readonly openTransport: OpenLegacyTransport
  /** For everything, both eras and the goodbye included, in milliseconds (default 15000). */
  readonly totalMs?: number
}

type Era = 'auto' | 'legacy'

const goodbyeMs = 1000
const identity = { name: 'patchbay', version: '1.0.0' }

/**
 * Talks to an MCP server as a client would, and asks for its tools, since some servers answer `initialize` to anybody
 * and refuse only then. It tries the modern era first, as MCP 2026-07-28 says; servers of older revisions that hang or
 * break on a method they do not know are asked again in their own way, in what is left of the time.
 *
 * The verdict is made from what went over the wire (`probe-observation.ts`), never from the texts of errors. It ends
 * within `totalMs`, whatever the server does.
 */
export function createProbe({ fetch, openTransport, totalMs = 15_000 }: ProbeDeps): Probe {
  return async (request) => {
    // takes a third of a second to load: not when a process starts, and not of the time of whoever is probed first
    await import('@modelcontextprotocol/client')
    const { transport = 'auto' } = request
    if (transport === 'sse' || transport === 'websocket') {
      return probeLegacyTransport(openTransport, transport, request, totalMs)
    }
    const end = performance.now() + totalMs
    const remainingMs = (): number => Math.max(0, end - performance.now())
    const outcome = await probeStreamableHttp(fetch, request, remainingMs)
    if (transport !== 'auto' || !isWorthSseAttempt(outcome)) return outcome
    const older = await probeLegacyTransport(openTransport, 'sse', request, remainingMs())
    return older.kind === 'ok' || older.kind === 'unauthorized' ? older : outcome
  }
}

async function probeStreamableHttp(
  fetch: GuardedFetch,
  request: ProbeRequest,
  remainingMs: () => number,
): Promise<ProbeOutcome> {
  const first = await attempt(fetch, request, 'auto', { remainingMs, discoverMs: remainingMs() / 3 })
  if (!isWorthLegacyAttempt(first.outcome, first.observed) || remainingMs() === 0) {
    return judged(first.outcome, first.observed)
  }
  const second = await attempt(fetch, request, 'legacy', { remainingMs, discoverMs: 0 })
  return judged(second.outcome, first.observed)
}

/** A server of MCP 2024-11-05 takes no POST at its URL (MCP 2025-11-25, transports, "Backwards Compatibility"). */
function isWorthSseAttempt(outcome: ProbeOutcome): boolean {
  return outcome.kind === 'http_error' && [400, 404, 405].includes(outcome.status)
}

/**
 * A server that takes long over the modern question, and does not know the old one that the client tries then, is slow:
 * what it says to the old one (a 4xx, mostly) is not what is wrong with it.
 */
function judged(outcome: ProbeOutcome, { posts, ended }: Observed): ProbeOutcome {
  const isStrange = outcome.kind === 'not_mcp' || (outcome.kind === 'http_error' && outcome.status < 500)
  return isStrange && ended < posts ? { kind: 'timeout' } : outcome
}

/** The time limit on a body may fire just before ours; what ends in this last moment ended by being late. */
const sameMomentMs = 50

type Limits = {
  readonly remainingMs: () => number
  /** How long a server may take to say whether it knows the modern era. */
  readonly discoverMs: number
}

async function attempt(
  fetch: GuardedFetch,
  { url, headers }: ProbeRequest,
  era: Era,
  limits: Limits,
): Promise<{ outcome: ProbeOutcome; observed: Observed }> {
  const observed: Observed = { posts: 0, ended: 0 }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client')
  const transport = new StreamableHTTPClientTransport(url, {
    fetch: observe(fetch, { observed, credential: headers, remainingMs: limits.remainingMs }),
  })
  const client = new Client(identity, {
    versionNegotiation: { mode: era, probe: { timeoutMs: limits.discoverMs } },
  })
  const deadline = createDeadline(limits.remainingMs())
  try {
    const isInTime = await Promise.race([converse(client, transport, observed, limits), deadline.passed])
    return { outcome: isInTime ? described(client) : lateOutcomeOf(observed), observed }
  } catch {
    // The SDK's error says in words what `observed` holds as facts.
    const isLate = limits.remainingMs() < sameMomentMs
    return { outcome: isLate ? lateOutcomeOf(observed) : outcomeOf(observed), observed }
  } finally {
    deadline.clear()
    await sayGoodbye(client, transport, limits.remainingMs())
  }
}

/** A JSON-RPC error to `tools/list` is an MCP server's answer; only what the wire said makes it a failure. */
async function converse(
  client: Client,
  transport: StreamableHTTPClientTransport,
  observed: Observed,
  { remainingMs }: Limits,
): Promise<true> {
  await client.connect(transport, { timeout: remainingMs() })
  if (client.getServerCapabilities()?.tools === undefined) return true
  try {
    // Not `listTools()`: that reads page after page, and prints what it thinks of the tools.
    await client.request({ method: 'tools/list' }, { timeout: remainingMs() })
  } catch (error) {
    if (observed.unauthorized !== undefined || observed.failure !== undefined || (observed.status ?? 0) >= 400) {
      throw error
    }
  }
  return true
}

function described(client: Client): ProbeOutcome {
  const { name, version } = client.getServerVersion() ?? {}
  const protocolVersion = client.getNegotiatedProtocolVersion()
  return {
    kind: 'ok',
    ...(name === undefined ? {} : { serverName: name.slice(0, 200) }),
    ...(version === undefined ? {} : { serverVersion: version.slice(0, 200) }),
    ...(protocolVersion === undefined ? {} : { protocolVersion }),
  }
}

function createDeadline(ms: number): { readonly passed: Promise<false>; clear(): void } {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  return { passed, clear: () => clearTimeout(timer) }
}

/** Ends the session where there is one (MCP 2025-11-25, "Session Management"). Nobody minds when that fails. */
async function sayGoodbye(client: Client, transport: StreamableHTTPClientTransport, leftMs: number): Promise<void> {
  if (transport.sessionId !== undefined && leftMs > 0) {
    const deadline = createDeadline(Math.min(goodbyeMs, leftMs))
    await Promise.race([transport.terminateSession().catch(() => undefined), deadline.passed])
    deadline.clear()
  }
  await client.close()
}
