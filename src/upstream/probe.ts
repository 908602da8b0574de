import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'
import { type Challenge, parseChallenge } from './challenge.ts'

export type ProbeOutcome =
  | { readonly kind: 'ok'; readonly serverName?: string; readonly serverVersion?: string }
  /** 401, or 403 `insufficient_scope`: it wants authorization, or more of it. */
  | { readonly kind: 'unauthorized'; readonly status: 401 | 403; readonly challenge: Challenge | null }
  | { readonly kind: 'http_error'; readonly status: number }
  /** Something answered, but not as an MCP server. */
  | { readonly kind: 'not_mcp' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unreachable' }

export type ProbeRequest = {
  readonly url: URL
  /** The credential to try; names in lower case. */
  readonly headers: Readonly<Record<string, Secret>>
}

type Options = {
  readonly fetch: GuardedFetch
  /** For everything, in milliseconds. */
  readonly totalMs?: number
}

/** What went over the wire. The SDK's errors are not asked: their texts are not for deciding. */
type Observed = {
  unauthorized?: { status: 401 | 403; challenge: Challenge | null }
  /** Of the last POST. */
  status?: number
  failure?: unknown
}

const defaultTotalMs = 15_000
const goodbyeMs = 2000
const maxAnswerBytes = 4 * 1024 * 1024
const identity = { name: 'patchbay', version: '1.0.0' }

/**
 * Talks to an MCP server as a client would, in whichever era it speaks, and asks for its tools, since some servers answer
 * `initialize` to anybody and refuse only later. Ends within `totalMs`, whatever the server does.
 */
export function createProbe({ fetch, totalMs = defaultTotalMs }: Options) {
  return async ({ url, headers }: ProbeRequest): Promise<ProbeOutcome> => {
    const observed: Observed = {}
    const deadline = AbortSignal.timeout(totalMs)
    const transport = new StreamableHTTPClientTransport(url, {
      fetch: observing(fetch, observed, headers, deadline, totalMs),
    })
    const client = new Client(identity, { versionNegotiation: { mode: 'auto' } })
    try {
      const isAnswered = await Promise.race([converse(client, transport), ended(deadline)])
      if (isAnswered === 'late') return { kind: 'timeout' }
      const { name, version } = client.getServerVersion() ?? {}
      return {
        kind: 'ok',
        ...(name === undefined ? {} : { serverName: name }),
        ...(version === undefined ? {} : { serverVersion: version }),
      }
    } catch {
      return outcomeOf(observed)
    } finally {
      await sayGoodbye(client, transport)
    }

    /** A JSON-RPC error to `tools/list` is an MCP server's answer; only what the wire said makes it a failure. */
    async function converse(mcp: Client, over: StreamableHTTPClientTransport): Promise<'done'> {
      await mcp.connect(over)
      if (mcp.getServerCapabilities()?.tools === undefined) return 'done'
      try {
        await mcp.listTools()
      } catch (error) {
        if (observed.unauthorized !== undefined || observed.failure !== undefined || (observed.status ?? 0) >= 400)
          throw error
      }
      return 'done'
    }
  }
}

export type Probe = ReturnType<typeof createProbe>

/** The guarded fetch, with the credential added and the facts noted. */
function observing(
  fetch: GuardedFetch,
  observed: Observed,
  credential: ProbeRequest['headers'],
  deadline: AbortSignal,
  totalMs: number,
): typeof globalThis.fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers)
    for (const [name, value] of Object.entries(credential)) headers.set(name, value.reveal())
    const signal = init.signal == null ? deadline : AbortSignal.any([init.signal, deadline])
    const isPost = init.method === 'POST'
    try {
      const target = input instanceof Request ? input.url : input
      const response = await fetch(target, {
        ...init,
        headers,
        signal,
        stream: true,
        maxBytes: maxAnswerBytes,
        headersMs: totalMs,
        totalMs,
      })
      if (isPost) note(observed, response)
      return response
    } catch (error) {
      if (isPost) observed.failure = error
      throw error
    }
  }
}

function note(observed: Observed, response: Response): void {
  const { status } = response
  observed.status = status
  if (status !== 401 && status !== 403) return
  const header = response.headers.get('www-authenticate')
  const challenge = header === null ? null : parseChallenge(header)
  if (status === 401 || challenge?.error === 'insufficient_scope') observed.unauthorized = { status, challenge }
}

function outcomeOf({ unauthorized, status, failure }: Observed): ProbeOutcome {
  if (unauthorized !== undefined) return { kind: 'unauthorized', ...unauthorized }
  if (failure !== undefined) return failureOutcome(failure)
  if (status !== undefined && status >= 400) return { kind: 'http_error', status }
  return { kind: 'not_mcp' }
}

function failureOutcome(failure: unknown): ProbeOutcome {
  const code = failure instanceof AppError ? failure.code : undefined
  if (code === 'upstream_timeout' || (failure instanceof DOMException && failure.name === 'TimeoutError'))
    return { kind: 'timeout' }
  return { kind: code === 'upstream_protocol_error' ? 'not_mcp' : 'unreachable' }
}

const ended = (signal: AbortSignal): Promise<'late'> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve('late'), { once: true }))

/** Ends the session where there is one. Nobody minds when that fails. */
async function sayGoodbye(client: Client, transport: StreamableHTTPClientTransport): Promise<void> {
  const goodbye = async () => {
    if (transport.sessionId !== undefined) await transport.terminateSession()
    await client.close()
  }
  await Promise.race([goodbye().catch(() => {}), ended(AbortSignal.timeout(goodbyeMs))])
  await client.close().catch(() => {})
}
