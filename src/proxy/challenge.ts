import { mcpScope } from '../authorization-server/connector-resource.ts'
import type { AppError } from '../kernel/app-error.ts'

const metadataPath = '/.well-known/oauth-protected-resource'
const bearerOrBasic = /^(?:bearer|basic)(?: |$)/i
const scopePattern = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * The `WWW-Authenticate` of our own 401s and 403s (RFC 6750 section 3, RFC 9728 section 5.1), names and values in turn.
 *
 * Who sends no credentials, or some of a scheme that we do not know, learns where to get some and is told of no error
 * (RFC 6750 section 3.1, TK-06). The scope is the one that every call needs, and no more (MCP authorization, "Scope
 * Selection Strategy"). A 403 is a challenge only when it names the scope that is missing, in
 * `meta.requiredScope`.
 *
 * @param path of the endpoint that was called; endpoint and alias each have a metadata document of their own
 * @param authorization the request's `Authorization` header
 */
export function challengeHeaders(
  publicUrl: URL,
  path: string,
  error: AppError,
  authorization: string | null,
): string[] {
  const metadata = `resource_metadata="${publicUrl.origin}${metadataPath}${path}"`
  if (error.code === 'unauthenticated') {
    const hasCredentials = authorization !== null && bearerOrBasic.test(authorization)
    const problem = hasCredentials ? 'error="invalid_token", ' : ''
    return ['www-authenticate', `Bearer ${problem}scope="${mcpScope}", ${metadata}`]
  }
  const { requiredScope } = error.meta
  if (error.code === 'forbidden' && typeof requiredScope === 'string' && scopePattern.test(requiredScope)) {
    return ['www-authenticate', `Bearer error="insufficient_scope", scope="${requiredScope}", ${metadata}`]
  }
  return []
}
