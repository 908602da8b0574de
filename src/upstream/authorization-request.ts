import { createHash } from 'node:crypto'
import { AppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import { parseUpstreamUrl } from './endpoint-url.ts'

export type AuthorizationRequest = {
  readonly server: AuthorizationServer
  readonly clientId: string
  readonly redirectUri: string
  readonly state: string
  /** 43 to 128 unreserved characters (RFC 7636 section 4.1). */
  readonly codeVerifier: Secret
  /** What an operator's preset says about this server. */
  readonly quirks?: {
    readonly omitResource: boolean
    readonly authorizeParameters: Readonly<Record<string, string>>
  }
}

/**
 * The URL to which the person's browser is sent (RFC 6749 section 4.1.1), with PKCE S256 and the resource of RFC 8707.
 * The endpoint's own query stays; nothing in it or in `quirks` can take the place of a parameter of the protocol.
 *
 * @throws AppError `authorization_server_invalid` when the endpoint is no http(s) URL (it was checked when found; a
 *   stored one is checked again, since a browser follows it)
 */
export function buildAuthorizationUrl(request: AuthorizationRequest): URL {
  const { server, quirks } = request
  const url = parseUpstreamUrl(server.authorizationEndpoint ?? '')
  if (url === null) {
    throw new AppError('authorization_server_invalid', 'authorization endpoint refused', {
      meta: { issuer: server.issuer },
    })
  }
  const isResourceSent = server.resource !== null && quirks?.omitResource !== true
  const parameters: Readonly<Record<string, string | null>> = {
    // OpenID Connect Core section 11: a refresh token for later use needs the person's explicit consent.
    ...(server.scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
    ...quirks?.authorizeParameters,
    response_type: 'code',
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    state: request.state,
    code_challenge: codeChallengeS256(request.codeVerifier),
    code_challenge_method: 'S256',
    scope: server.scopes.length === 0 ? null : server.scopes.join(' '),
    resource: isResourceSent ? server.resource : null,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  return url
}

/** RFC 7636 section 4.2. */
function codeChallengeS256(codeVerifier: Secret): string {
  return createHash('sha256').update(codeVerifier.reveal()).digest('base64url')
}
