import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError } from '../kernel/app-error.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Vault } from '../vault/vault.ts'
import { sealClientSecret } from './client-secret.ts'
import type { Connector, ConnectorAuthType, ConnectorMetadata, CredentialScope, Transport } from './connector.ts'
import { readConnectorUrl } from './read-connector-url.ts'
import type { ConnectorStore } from './store.ts'
import { ownerFor } from './visibility.ts'

export type CreateConnectorRequest = {
  readonly url: string
  readonly clientId?: string
  readonly clientSecret?: Secret
  readonly metadata?: ConnectorMetadata
  /** Default true. */
  readonly matchPreset?: boolean
  readonly transport?: Transport
  readonly authType?: ConnectorAuthType
  readonly scopes?: readonly string[]
  /** Default: `user` for a person or agent, `tenant` for a manager. */
  readonly credentialScope?: CredentialScope
  readonly label?: string
}

type Deps = {
  readonly connectors: ConnectorStore
  readonly presets: PresetCatalog
  readonly addressPolicy: AddressPolicy
  readonly vault: Vault
}

/**
 * Registers a remote MCP server. Nothing is contacted yet.
 *
 * @throws AppError `url_invalid`, `url_not_allowed`, `client_id_missing`, `connector_exists`
 */
export function createCreateConnector({ connectors, presets, addressPolicy, vault }: Deps) {
  return async (principal: Principal, request: CreateConnectorRequest): Promise<Connector> => {
    const url = readConnectorUrl(request.url, addressPolicy)
    if (request.clientSecret !== undefined && request.clientId === undefined) throw clientIdMissing()
    const id = newId()
    const owner = ownerFor(principal)
    const preset = request.matchPreset === false ? undefined : presets.match(url)
    const created = await connectors.create({
      id,
      tenantId: principal.tenantId,
      ...owner,
      url: url.href,
      urlKey: url.key,
      label: request.label ?? '',
      credentialScope: request.credentialScope ?? (owner.ownerKind === 'tenant' ? 'tenant' : 'user'),
      transport: request.transport ?? 'auto',
      metadata: request.metadata ?? null,
      presetId: preset?.id ?? null,
      enabled: true,
      authType: request.authType ?? 'auto',
      clientId: request.clientId ?? null,
      sealedClientSecret:
        request.clientSecret === undefined
          ? null
          : sealClientSecret(vault, { id, tenantId: principal.tenantId }, request.clientSecret),
      scopes: request.scopes ?? [],
      createdByPrincipalId: principal.id,
    })
    if (created === null) throw connectorExists()
    return created
  }
}

export function clientIdMissing(): AppError {
  const message = 'A client_secret needs a client_id.'
  return new AppError('client_id_missing', 'secret without id', {
    publicDetail: message,
    fields: [{ path: 'client_id', message }],
  })
}

export function connectorExists(): AppError {
  return new AppError('connector_exists', 'same url, owner and label', {
    publicDetail: 'You have a connector for this URL already. Use it, or give this one another label.',
  })
}
