import type { SigningAlgorithm } from '../upstream/private-key.ts'

export const transports = ['auto', 'streamable_http', 'sse', 'websocket'] as const
export type Transport = (typeof transports)[number]

export const credentialScopes = ['user', 'tenant'] as const
/** Whether every person gets a connection of their own, or all share the tenant's. */
export type CredentialScope = (typeof credentialScopes)[number]

export const connectorAuthTypes = ['auto', 'none', 'token', 'oauth2', 'client_credentials'] as const
export type ConnectorAuthType = (typeof connectorAuthTypes)[number]

export type OwnerKind = 'user' | 'agent' | 'tenant'

/** The owner id of everything that the tenant itself owns. */
export const tenantOwnerId = '*'

export type ConnectorMetadata = Readonly<Record<string, string>>

/** How a connector's server is authorized, as its owner said. */
export type ConnectorAuth = {
  readonly authType: ConnectorAuthType
  readonly clientId: string | null
  readonly sealedClientSecret: string | null
  /** The authorization server that the client is from: the first that it met. Its secret goes to no other. */
  readonly clientIssuer: string | null
  /** For client_credentials: PKCS #8 in PEM. */
  readonly sealedPrivateKey: string | null
  readonly keyId: string | null
  readonly signingAlgorithm: SigningAlgorithm | null
  /** Where a fixed token goes; null: `Authorization`. */
  readonly tokenHeader: string | null
  /** What stands before it; null: `Bearer` in `Authorization`, nothing elsewhere. */
  readonly tokenScheme: string | null
  readonly sealedToken: string | null
}

/** A remote MCP server registered in a tenant. Grants and state are on its connections. */
export type Connector = ConnectorAuth & {
  readonly id: string
  readonly tenantId: string
  readonly ownerKind: OwnerKind
  readonly ownerId: string
  readonly url: string
  readonly urlKey: string
  readonly label: string
  readonly credentialScope: CredentialScope
  readonly transport: Transport
  /** Null: the preset's metadata is shown. */
  readonly metadata: ConnectorMetadata | null
  readonly presetId: string | null
  readonly enabled: boolean
  readonly scopes: readonly string[]
  readonly createdByPrincipalId: string
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What people call a connector: its metadata's name, else the host of its URL. */
export function connectorName(connector: Pick<Connector, 'metadata' | 'url'>, presetName?: string): string {
  return connector.metadata?.name ?? presetName ?? new URL(connector.url).host
}
