import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { OpenWebSocket } from '../egress/open-websocket.ts'
import type { Secret } from '../kernel/secret.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { createWebSocketTransport } from './websocket-transport.ts'

/** The transports besides Streamable HTTP that upstreams may have: HTTP+SSE of MCP 2024-11-05, and WebSocket. */
export type LegacyTransportKind = 'sse' | 'websocket'

export type LegacyTransportRequest = {
  readonly kind: LegacyTransportKind
  readonly url: URL
  /** Asked for each request, since a credential is renewed while a session lives. */
  readonly headers: () => Readonly<Record<string, Secret>>
  /** Told of a 401, and of a 403 with a challenge. */
  readonly onRefused: (status: 401 | 403, challenge: Challenge | null) => void
}

export type OpenLegacyTransport = (request: LegacyTransportRequest) => Transport

type Deps = { readonly fetch: GuardedFetch; readonly openWebSocket: OpenWebSocket }

/** Of everything that one session may send us: events are parsed, so that they stand in memory one by one. */
const maxSessionBytes = 64 * 1024 * 1024
const sessionLifeMs = 12 * 3_600_000
const postMs = 30_000

/** Makes transports to legacy upstreams that go through the egress guard, and carry the credential in headers only. */
export function createLegacyTransports({ fetch, openWebSocket }: Deps): OpenLegacyTransport {
  return ({ kind, url, headers, onRefused }) => {
    const credential = () =>
      Object.fromEntries(Object.entries(headers()).map(([name, value]) => [name, value.reveal()]))
    if (kind === 'websocket')
      return createWebSocketTransport(() => openWebSocket(url, { headers: credential(), protocols: ['mcp'] }))
    const guarded = async (target: string | URL, init: RequestInit = {}): Promise<Response> => {
      const sent = new Headers(init.headers ?? {})
      for (const [name, value] of Object.entries(credential())) sent.set(name, value)
      const isStream = (init.method ?? 'GET') === 'GET'
      const response = await fetch(target, {
        ...init,
        headers: sent,
        stream: true,
        maxBytes: maxSessionBytes,
        headersMs: postMs,
        totalMs: isStream ? sessionLifeMs : postMs,
      })
      const { status } = response
      const challenge = response.headers.get('www-authenticate')
      if (status === 401 || (status === 403 && challenge !== null)) {
        onRefused(status, challenge === null ? null : parseChallenge(challenge))
      }
      return response
    }
    // The SDK's own types disagree under exactOptionalPropertyTypes.
    return new SSEClientTransport(url, { fetch: guarded, eventSourceInit: { fetch: guarded } }) as Transport
  }
}
