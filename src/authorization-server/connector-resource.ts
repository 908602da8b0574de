/** The scope that a token needs at an MCP endpoint, and the only one that hosts ask for by name. */
export const mcpScope = 'mcp'

/** Asked for by hosts that want refresh tokens; granted, though refresh tokens do not depend on it. */
export const offlineScope = 'offline_access'

const resourcePath =
  /^(?:\/api\/v1)?\/connectors\/(?<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/mcp$/

/** The URLs of one connector's MCP endpoint: the canonical one, and its alias below `/api/v1`. */
export function connectorResources(publicUrl: URL, connectorId: string): readonly [endpoint: string, alias: string] {
  const path = `/connectors/${connectorId}/mcp`
  return [`${publicUrl.origin}${path}`, `${publicUrl.origin}/api/v1${path}`]
}

/**
 * The connector that a resource indicator (RFC 8707) names; null unless it is, letter for letter, one of the two URLs of a
 * connector's endpoint.
 */
export function connectorOfResource(publicUrl: URL, resource: string): string | null {
  if (!resource.startsWith(`${publicUrl.origin}/`)) return null
  return resourcePath.exec(resource.slice(publicUrl.origin.length))?.groups?.id ?? null
}
