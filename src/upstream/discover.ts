import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import type { ResourceUrl } from '../kernel/resource-url.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { AuthorizationServerMetadata, Grant } from './authorization-server-metadata.ts'
import { type Challenge, parseScopes } from './challenge.ts'
import { type DiscoveryContext, type DiscoveryStep, isSettled } from './discovery-step.ts'
import { findAuthorizationServerMetadata } from './find-authorization-server.ts'
import { findProtectedResource } from './find-protected-resource.ts'
import type { ProtectedResourceMetadata } from './protected-resource-metadata.ts'

export type DiscoverRequest = {
  readonly url: ResourceUrl
  /** What the server said with its 401 or 403, if anything. */
  readonly challenge: Challenge | null
  /** Default: a person authorizes. For `client_credentials` a server needs neither a page for people nor PKCE. */
  readonly grant?: Grant
  readonly permits?: Permits
  /** Hears of each document that was tried, in order. */
  readonly onStep?: (step: DiscoveryStep) => void
}

/** What an operator knows to be so, and what the specifications would have us refuse. */
export type Permits = {
  /** The server does S256, but does not say so (PK-01). */
  readonly isPkceUnlisted: boolean
  /** The server that is named `identifier` calls itself `issuer` in its metadata (MX-08). */
  readonly alias?: { readonly identifier: string; readonly issuer: string }
}

export type Discover = (request: DiscoverRequest) => Promise<AuthorizationServer>

export type DiscoverDeps = {
  readonly fetch: GuardedFetch
  /** For everything together, in milliseconds (default 12000). */
  readonly totalMs?: number
  /** Whether to assume the default endpoints of 2025-03-26 where nothing is published (default true). */
  readonly isLegacyFallbackAllowed?: boolean
}

const offlineAccess = 'offline_access'

/**
 * Finds the authorization server of an MCP server: protected resource metadata (RFC 9728) by the challenge's pointer,
 * else by path, else at the root; the metadata of the first server that it names (RFC 8414, OpenID Discovery); for
 * servers of 2025-03-26 the metadata on their own origin, else the default endpoints there.
 *
 * A document that exists and is wrong ends the search. Endpoints are guessed only when every place said that it has
 * nothing: an answer that failed to come must not send a person, or later a token, to a guessed place (MX-04).
 *
 * @throws AppError `authorization_server_not_found`, `authorization_server_invalid` (wrong resource, wrong issuer,
 *   unusable endpoints), `pkce_unsupported` (no S256 advertised, though a person is to authorize), `upstream_timeout`
 */
export function createDiscover({ fetch, totalMs = 12_000, isLegacyFallbackAllowed = true }: DiscoverDeps): Discover {
  return async ({ url, challenge, grant = 'authorization_code', permits, onStep }) => {
    const mcpUrl = new URL(url.href)
    const steps: DiscoveryStep[] = []
    const context: DiscoveryContext = {
      fetch,
      remainingMs: createCountdown(totalMs),
      report: (step) => {
        steps.push(step)
        onStep?.(step)
      },
    }
    const resource = await findProtectedResource(context, mcpUrl, challenge)
    const issuer = resource?.authorizationServers[0]
    const facts = {
      resource,
      challenge,
      url,
      isPkceNeeded: grant === 'authorization_code' && permits?.isPkceUnlisted !== true,
    }
    if (issuer !== undefined) {
      const metadata = await findAuthorizationServerMetadata(context, issuer, {
        issuers: namesOf(issuer, permits),
        grant,
      })
      if (metadata === null) throw notFound(steps)
      return describe(metadata, facts)
    }
    const { origin } = mcpUrl
    const issuers = [origin, `${origin}/`]
    const metadata = await findAuthorizationServerMetadata(context, origin, { issuers, grant })
    if (metadata !== null) return describe(metadata, facts)
    if (resource !== null || !isLegacyFallbackAllowed || !steps.every(isSettled)) throw notFound(steps)
    return describeDefault(origin, facts)
  }
}

/** What the metadata of a server may call itself (RFC 8414 section 3.3), and what else an operator knows it to. */
function namesOf(issuer: string, permits: Permits | undefined): string[] {
  return permits?.alias?.identifier === issuer ? [issuer, permits.alias.issuer] : [issuer]
}

type Facts = {
  readonly resource: ProtectedResourceMetadata | null
  readonly challenge: Challenge | null
  readonly url: ResourceUrl
  readonly isPkceNeeded: boolean
}

function describe(metadata: AuthorizationServerMetadata, facts: Facts): AuthorizationServer {
  const isPkceVerified = metadata.code_challenge_methods_supported?.includes('S256') === true
  if (facts.isPkceNeeded && !isPkceVerified) {
    throw new AppError('pkce_unsupported', 'the metadata does not list S256', { meta: { issuer: metadata.issuer } })
  }
  return {
    issuer: metadata.issuer,
    authorizationEndpoint: metadata.authorization_endpoint ?? null,
    tokenEndpoint: metadata.token_endpoint,
    ...(metadata.revocation_endpoint === undefined ? {} : { revocationEndpoint: metadata.revocation_endpoint }),
    ...(metadata.registration_endpoint === undefined ? {} : { registrationEndpoint: metadata.registration_endpoint }),
    tokenEndpointAuthMethods: metadata.token_endpoint_auth_methods_supported ?? [],
    isIssParameterSupported: metadata.authorization_response_iss_parameter_supported ?? false,
    isClientIdMetadataDocumentSupported: metadata.client_id_metadata_document_supported ?? false,
    isPkceVerified,
    isLegacyFallback: false,
    resource: facts.resource?.resource ?? facts.url.href,
    ...chooseScopes(facts, metadata.scopes_supported ?? []),
  }
}

/** MCP 2025-03-26, "Fallbacks for Servers without Metadata Discovery". */
function describeDefault(origin: string, facts: Facts): AuthorizationServer {
  return {
    issuer: origin,
    authorizationEndpoint: `${origin}/authorize`,
    tokenEndpoint: `${origin}/token`,
    registrationEndpoint: `${origin}/register`,
    tokenEndpointAuthMethods: [],
    isIssParameterSupported: false,
    isClientIdMetadataDocumentSupported: false,
    isPkceVerified: false,
    isLegacyFallback: true,
    resource: facts.url.href,
    ...chooseScopes(facts, []),
  }
}

/**
 * What to ask for (MCP authorization, "Scope Selection Strategy"): what the challenge says, else all that the resource
 * lists, else nothing. `offline_access` is added where the authorization server knows it, but never stands alone: that
 * would take the place of the server's default scopes.
 */
function chooseScopes({ resource, challenge }: Facts, known: readonly string[]) {
  const challenged = parseScopes(challenge?.scope ?? '')
  const listed = parseScopes(resource?.scopesSupported.join(' ') ?? '')
  const scopes = challenged.length > 0 ? challenged : listed
  if (scopes.length === 0) return { scopes, scopesSource: 'none' as const }
  return {
    scopes: known.includes(offlineAccess) && !scopes.includes(offlineAccess) ? [...scopes, offlineAccess] : scopes,
    scopesSource: challenged.length > 0 ? ('challenge' as const) : ('protected_resource_metadata' as const),
  }
}

function notFound(steps: readonly DiscoveryStep[]): AppError {
  return new AppError('authorization_server_not_found', 'no usable authorization server metadata', {
    publicDetail: steps.every(isSettled)
      ? 'The server asks for authorization, but publishes nothing that says where to get it.'
      : 'The server asks for authorization, but what says where to get it could not be read. Try again later.',
    meta: { steps },
  })
}

function createCountdown(totalMs: number): () => number {
  const end = performance.now() + totalMs
  return () => {
    const left = end - performance.now()
    if (left <= 0) throw new AppError('upstream_timeout', 'discovery took too long', { meta: { totalMs } })
    return Math.ceil(left)
  }
}
