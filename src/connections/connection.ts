import type { TokenEndpointAuthMethod } from '../upstream/client.ts'

export const connectionStates = ['created', 'auth_required', 'connected', 'disconnected'] as const
export type ConnectionState = (typeof connectionStates)[number]

export type ConnectionScope = 'user' | 'agent' | 'tenant'

/** Why a connection ended: stable codes, each with its sentence in `disconnect-reason.ts`. */
export const disconnectCodes = [
  'client_request',
  'connector_changed',
  'refresh_token_rejected',
  'refresh_token_expired',
  'refresh_result_lost',
  'refresh_config_error',
  'client_rejected',
  'malformed_token_response',
  'authorization_server_changed',
  'insufficient_scope',
  'access_token_rejected',
] as const
export type DisconnectCode = (typeof disconnectCodes)[number]

/** What went wrong last, for people and programs; never the upstream's words. */
export type LastError = {
  readonly code: string
  readonly at: string
  readonly retryable: boolean
  readonly attempts: number
}

/** The 401 or `insufficient_scope` that a relayed call met: the next connect starts from it. */
export type StoredChallenge = {
  readonly resourceMetadata?: string
  readonly scope?: string
  readonly error?: string
}

/** How often calls were refused for want of each set of scopes (space-separated, sorted). */
export type StepUps = Readonly<Record<string, number>>

/** Where the secret of the client that holds the grant is to be found. */
export type ClientSource = 'connector' | 'preset' | 'metadata_document' | 'registration'

/** One credential binding of a connector: for a user, an agent, or the whole tenant. */
export type Connection = {
  readonly id: string
  readonly tenantId: string
  readonly connectorId: string
  readonly scope: ConnectionScope
  readonly subjectId: string
  readonly state: ConnectionState
  readonly disconnectCode: DisconnectCode | null
  readonly disconnectReason: string | null
  readonly lastError: LastError | null
  /** How calls are authorized: not at all, by a token that was given, by OAuth. Null before the first connect. */
  readonly authType: 'none' | 'token' | 'oauth2' | 'client_credentials' | null
  readonly issuer: string | null
  readonly tokenEndpoint: string | null
  readonly revocationEndpoint: string | null
  readonly resource: string | null
  readonly clientId: string | null
  readonly clientSource: ClientSource | null
  readonly registrationId: string | null
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod | null
  readonly scopes: readonly string[]
  /** What the last authorization asked for; a step-up asks for no less. */
  readonly requestedScopes: readonly string[]
  /** True when the authorization server publishes nothing, so that nobody knows whether it checks the PKCE verifier. */
  readonly isPkceUnverified: boolean
  readonly grantEpoch: number
  readonly tokenVersion: number
  /** Failed refreshes in a row. */
  readonly failCount: number
  /** When the first of those came that have the code of `lastError`. */
  readonly failingSince: Date | null
  readonly nextRefreshAt: Date | null
  readonly accessExpiresAt: Date | null
  /** How long access tokens live, as last stated. */
  readonly accessLifetimeSeconds: number | null
  /** When the refresh token runs out, where the server says so. */
  readonly reauthBy: Date | null
  readonly sealedAccessToken: string | null
  readonly sealedRefreshToken: string | null
  readonly challenge: StoredChallenge | null
  readonly stepUps: StepUps | null
  readonly updatedAt: Date
}

/** True when a new access token can be had without a person. */
export function isRenewable({ authType, sealedRefreshToken }: Connection): boolean {
  return sealedRefreshToken !== null || authType === 'client_credentials'
}

/** True when calls can be relayed with what the connection holds, whatever its state is called. */
export function hasUsableGrant(connection: Connection): boolean {
  return connection.authType === 'none' ? connection.state === 'connected' : connection.sealedAccessToken !== null
}
