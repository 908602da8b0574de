import type { ConnectionChanges } from './store.ts'

/** What a new state leaves behind. */
export const cleared = {
  disconnectCode: null,
  disconnectReason: null,
  lastError: null,
  challenge: null,
  failCount: 0,
  failingSince: null,
} as const satisfies ConnectionChanges

/** A connection without any grant. */
export const withoutGrant = {
  ...cleared,
  authType: null,
  issuer: null,
  tokenEndpoint: null,
  revocationEndpoint: null,
  resource: null,
  clientId: null,
  clientSource: null,
  registrationId: null,
  tokenEndpointAuthMethod: null,
  scopes: [],
  requestedScopes: [],
  isPkceUnverified: false,
  stepUps: null,
  nextRefreshAt: null,
  accessExpiresAt: null,
  accessLifetimeSeconds: null,
  reauthBy: null,
  sealedAccessToken: null,
  sealedRefreshToken: null,
} as const satisfies ConnectionChanges
