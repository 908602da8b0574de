import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import { type Challenge, parseScopes } from '../upstream/challenge.ts'
import { parseUpstreamUrl } from '../upstream/endpoint-url.ts'
import type { ProbeOutcome } from '../upstream/probe.ts'
import type { AuthorizationServerReport, ProbeReport } from './report.ts'

/**
 * An upstream's identifier as it may be shown in a terminal or a log: identifiers of these protocols are visible ASCII,
 * and whatever is not becomes `?`.
 */
function visible(text: string, maxLength = 2048): string {
  return text.slice(0, maxLength).replace(/[^\x21-\x7e]/g, '?')
}

/** The first rung, without anything that the server wrote freely. */
export function reportProbe(outcome: ProbeOutcome): ProbeReport {
  const isBlocked = outcome.kind === 'unreachable' && outcome.isBlocked === true
  const version = outcome.kind === 'ok' ? outcome.protocolVersion : undefined
  return {
    outcome: isBlocked ? 'blocked' : outcome.kind,
    status: 'status' in outcome ? outcome.status : null,
    protocolVersion: version !== undefined && /^[\d-]{1,20}$/.test(version) ? version : null,
    challenge: outcome.kind === 'unauthorized' ? reportChallenge(outcome.challenge) : null,
  }
}

/** A challenge without anything that is not in the protocol's alphabet. */
function reportChallenge(challenge: Challenge | null): ProbeReport['challenge'] {
  if (challenge === null) return null
  const { resourceMetadata, scope, error } = challenge
  return {
    resourceMetadata: resourceMetadata === undefined ? null : (parseUpstreamUrl(resourceMetadata)?.href ?? null),
    scopes: parseScopes(scope ?? ''),
    error: error !== undefined && /^[a-zA-Z0-9_.-]{1,64}$/.test(error) ? error : null,
  }
}

export function reportServer(server: AuthorizationServer): AuthorizationServerReport {
  const orNull = (text: string | undefined) => (text === undefined ? null : visible(text))
  return {
    issuer: visible(server.issuer),
    authorizationEndpoint: visible(server.authorizationEndpoint ?? ''),
    tokenEndpoint: visible(server.tokenEndpoint),
    registrationEndpoint: orNull(server.registrationEndpoint),
    revocationEndpoint: orNull(server.revocationEndpoint),
    tokenEndpointAuthMethods: server.tokenEndpointAuthMethods.slice(0, 20).map((method) => visible(method, 64)),
    isIssParameterSupported: server.isIssParameterSupported,
    isClientIdMetadataDocumentSupported: server.isClientIdMetadataDocumentSupported,
    isLegacyFallback: server.isLegacyFallback,
  }
}

export function reportResource(resource: string | null): string | null {
  return resource === null ? null : visible(resource)
}
