import type { TokenSet } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { sealFor } from './connection-secrets.ts'
import { cleared } from './grant-changes.ts'
import { expiryOf, refreshTime } from './schedule.ts'
import type { ConnectionChanges, PinnedAuthorization } from './store.ts'

type NewGrant = {
  readonly connection: Connection
  readonly authorization: PinnedAuthorization
  readonly authType: 'oauth2' | 'client_credentials'
  readonly tokens: TokenSet
  /** When the token request began. */
  readonly requestedAt: Date
  /** In [0, 1): spreads the refreshes. */
  readonly random: number
}

/** What a new grant makes of a connection: it takes the place of the old one, under an epoch of its own. */
export function newGrant(vault: Vault, grant: NewGrant): ConnectionChanges {
  const { connection, authorization, authType, tokens, requestedAt, random } = grant
  const { server, client, clientSource, registrationId } = authorization
  const { refreshToken } = tokens
  const accessExpiresAt = expiryOf(requestedAt, tokens.expiresInSeconds)
  const isRenewable = refreshToken !== undefined || authType === 'client_credentials'
  return {
    ...cleared,
    state: 'connected',
    authType,
    issuer: server.issuer,
    tokenEndpoint: server.tokenEndpoint,
    revocationEndpoint: server.revocationEndpoint ?? null,
    resource: server.resource,
    clientId: client.clientId,
    clientSource,
    registrationId,
    tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
    scopes: tokens.scopes ?? server.scopes,
    requestedScopes: server.scopes,
    isPkceUnverified: authType === 'oauth2' && !server.isPkceVerified,
    grantEpoch: connection.grantEpoch + 1,
    tokenVersion: 0,
    accessExpiresAt,
    accessLifetimeSeconds: tokens.expiresInSeconds ?? null,
    reauthBy: expiryOf(requestedAt, tokens.refreshExpiresInSeconds),
    // what cannot be renewed is looked at again when it has run out, so that somebody says so
    nextRefreshAt: isRenewable ? refreshTime(requestedAt, accessExpiresAt, random) : accessExpiresAt,
    sealedAccessToken: sealFor(vault, 'accessToken', connection, tokens.accessToken),
    sealedRefreshToken: refreshToken === undefined ? null : sealFor(vault, 'refreshToken', connection, refreshToken),
  }
}
