import type {
  Connection as ConnectionRow,
  Connector as ConnectorRow,
  ClientRegistration as RegistrationRow,
} from './generated/client.ts'

/**
 * The columns of a table for statements that are written by hand: property -> column and its PostgreSQL type. The compiler
 * sees to it that none is forgotten when the schema grows.
 */
export type Columns<Row> = { readonly [Property in keyof Row]: readonly [column: string, type: string] }

export const connectionColumns: Columns<ConnectionRow> = {
  id: ['id', 'uuid'],
  tenantId: ['tenant_id', 'uuid'],
  connectorId: ['connector_id', 'uuid'],
  scope: ['scope', 'text'],
  subjectId: ['subject_id', 'text'],
  state: ['state', 'text'],
  disconnectReason: ['disconnect_reason', 'text'],
  disconnectCode: ['disconnect_code', 'text'],
  lastError: ['last_error', 'jsonb'],
  authType: ['auth_type', 'text'],
  isActive: ['is_active', 'boolean'],
  issuer: ['issuer', 'text'],
  tokenEndpoint: ['token_endpoint', 'text'],
  revocationEndpoint: ['revocation_endpoint', 'text'],
  resource: ['resource', 'text'],
  clientId: ['client_id', 'text'],
  clientSource: ['client_source', 'text'],
  registrationId: ['registration_id', 'uuid'],
  tokenEndpointAuthMethod: ['token_endpoint_auth_method', 'text'],
  scopes: ['scopes', 'text[]'],
  requestedScopes: ['requested_scopes', 'text[]'],
  isPkceUnverified: ['is_pkce_unverified', 'boolean'],
  grantEpoch: ['grant_epoch', 'integer'],
  tokenVersion: ['token_version', 'integer'],
  leaseOwner: ['lease_owner', 'uuid'],
  leaseUntil: ['lease_until', 'timestamptz'],
  refreshStartedAt: ['refresh_started_at', 'timestamptz'],
  failCount: ['fail_count', 'integer'],
  failingSince: ['failing_since', 'timestamptz'],
  nextRefreshAt: ['next_refresh_at', 'timestamptz'],
  accessExpiresAt: ['access_expires_at', 'timestamptz'],
  accessLifetimeSeconds: ['access_lifetime_seconds', 'integer'],
  reauthBy: ['reauth_by', 'timestamptz'],
  sealedAccessToken: ['sealed_access_token', 'text'],
  sealedRefreshToken: ['sealed_refresh_token', 'text'],
  sealedExtraHeaders: ['sealed_extra_headers', 'text'],
  challenge: ['challenge', 'jsonb'],
  stepUps: ['step_ups', 'jsonb'],
  createdAt: ['created_at', 'timestamptz'],
  updatedAt: ['updated_at', 'timestamptz'],
}

export const connectorColumns: Columns<ConnectorRow> = {
  id: ['id', 'uuid'],
  tenantId: ['tenant_id', 'uuid'],
  ownerKind: ['owner_kind', 'text'],
  ownerId: ['owner_id', 'text'],
  url: ['url', 'text'],
  urlKey: ['url_key', 'text'],
  label: ['label', 'text'],
  credentialScope: ['credential_scope', 'text'],
  transport: ['transport', 'text'],
  metadata: ['metadata', 'jsonb'],
  presetId: ['preset_id', 'text'],
  enabled: ['enabled', 'boolean'],
  authType: ['auth_type', 'text'],
  clientId: ['client_id', 'text'],
  sealedClientSecret: ['sealed_client_secret', 'text'],
  clientIssuer: ['client_issuer', 'text'],
  sealedPrivateKey: ['sealed_private_key', 'text'],
  keyId: ['key_id', 'text'],
  signingAlgorithm: ['signing_algorithm', 'text'],
  tokenHeader: ['token_header', 'text'],
  tokenScheme: ['token_scheme', 'text'],
  sealedToken: ['sealed_token', 'text'],
  scopes: ['scopes', 'text[]'],
  createdByPrincipalId: ['created_by_principal_id', 'uuid'],
  createdAt: ['created_at', 'timestamptz'],
  updatedAt: ['updated_at', 'timestamptz'],
}

export const registrationColumns: Columns<RegistrationRow> = {
  id: ['id', 'uuid'],
  tenantId: ['tenant_id', 'uuid'],
  issuer: ['issuer', 'text'],
  redirectUri: ['redirect_uri', 'text'],
  clientId: ['client_id', 'text'],
  sealedClientSecret: ['sealed_client_secret', 'text'],
  tokenEndpointAuthMethod: ['token_endpoint_auth_method', 'text'],
  expiresAt: ['expires_at', 'timestamptz'],
  createdAt: ['created_at', 'timestamptz'],
}

/** `c.tenant_id AS "tenantId", ...`: every column of a table under the name of its property. */
export function selectList(columns: Columns<unknown>, alias: string, prefix = ''): string {
  return Object.entries<readonly [string, string]>(columns)
    .map(([property, [column]]) => `${alias}.${column} AS "${prefix}${property}"`)
    .join(', ')
}
