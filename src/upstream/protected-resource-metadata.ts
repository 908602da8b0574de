import { z } from 'zod'
import { parseUpstreamUrl } from './endpoint-url.ts'

const text = z.string().min(1).max(2048)

/** RFC 9728 section 2, as far as it concerns a client. Unknown members are ignored, wrong optional ones too. */
const schema = z.object({
  resource: text,
  authorization_servers: z.array(text).max(10).optional(),
  scopes_supported: z.array(text).max(1000).optional().catch(undefined),
})

export type ProtectedResourceMetadata = {
  readonly resource: string
  readonly authorizationServers: readonly string[]
  readonly scopesSupported: readonly string[]
}

/** Reads the metadata of a protected resource; null when it is none. */
export function parseProtectedResourceMetadata(document: unknown): ProtectedResourceMetadata | null {
  const result = schema.safeParse(document)
  if (!result.success) return null
  const { resource, authorization_servers, scopes_supported } = result.data
  return { resource, authorizationServers: authorization_servers ?? [], scopesSupported: scopes_supported ?? [] }
}

/** Where the metadata of an MCP server may be, in the order in which to look (RFC 9728 section 3.1, then the root). */
export function protectedResourceMetadataUrls(mcpUrl: URL): URL[] {
  const wellKnown = '/.well-known/oauth-protected-resource'
  const path = mcpUrl.pathname.replace(/\/$/, '')
  const root = new URL(wellKnown, mcpUrl.origin)
  return path === '' ? [root] : [new URL(`${wellKnown}${path}${mcpUrl.search}`, mcpUrl.origin), root]
}

/**
 * True when metadata for `resource` speaks for the MCP server: same origin, and the same path or one above it, on a
 * path boundary (RFC 9728 section 3.3; MCP permits the less specific URI).
 */
export function isResourceOf(resource: string, mcpUrl: URL): boolean {
  const url = parseUpstreamUrl(resource)
  if (url?.origin !== mcpUrl.origin) return false
  const path = url.pathname.replace(/\/$/, '')
  if (url.search !== '') return path === mcpUrl.pathname.replace(/\/$/, '') && url.search === mcpUrl.search
  return mcpUrl.pathname === path || mcpUrl.pathname.startsWith(`${path}/`)
}
