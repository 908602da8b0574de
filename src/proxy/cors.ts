import { type Reply, writeAnswer } from './call.ts'

const exposed = 'Mcp-Session-Id, Mcp-Protocol-Version, WWW-Authenticate, Retry-After, X-Request-Id'
const methods = 'POST, GET, DELETE'
const requestHeaders = [
  'authorization',
  'accept',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'traceparent',
]
const mcpHeaderPattern = /^mcp-[a-z0-9-]{1,64}$/
const maxAgeSeconds = '600'

export type OriginPolicy = ReturnType<typeof createOriginPolicy>

/**
 * Which browser pages may call: those of our own origin and of the listed ones. Anything else that bears an `Origin`
 * is refused before credentials are looked at (MCP, transports, DNS rebinding; AP-11). Credentials travel in
 * `Authorization` only, so no answer allows cookies.
 *
 * @param allowed serialised origins, for example `https://inspector.example`
 */
export function createOriginPolicy(publicUrl: URL, allowed: readonly string[]) {
  const headersByOrigin = new Map<string, readonly string[]>(
    [publicUrl.origin, ...allowed].map((origin) => [
      origin,
      ['access-control-allow-origin', origin, 'access-control-expose-headers', exposed, 'vary', 'origin'],
    ]),
  )
  return {
    /** Headers for answers to a page of this origin, names and values in turn; null when it may not call. */
    headersFor(origin: string): readonly string[] | null {
      return headersByOrigin.get(origin) ?? null
    },

    /** Answers OPTIONS: a preflight, or somebody who asks for the methods. */
    answerOptions(reply: Reply, askedHeaders: string | undefined): void {
      const named = (askedHeaders ?? '').toLowerCase().split(',', 64)
      const mcpHeaders = named.map((name) => name.trim()).filter((name) => mcpHeaderPattern.test(name))
      writeAnswer(reply, {
        status: 204,
        headers: [
          ...['allow', `${methods}, OPTIONS`, 'access-control-allow-methods', methods],
          ...['access-control-allow-headers', [...new Set([...requestHeaders, ...mcpHeaders])].join(', ')],
          ...['access-control-max-age', maxAgeSeconds],
        ],
      })
    },
  }
}
