import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError } from '../kernel/app-error.ts'
import { newId } from '../kernel/id.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connector, ConnectorMetadata, CredentialScope, Transport } from './connector.ts'
import { type AuthRequest, changeAuth, initialAuth } from './connector-auth.ts'
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
  /** Default: found out by asking the server. */
  readonly auth?: AuthRequest
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
 * @throws AppError `url_invalid`, `url_not_allowed`, `client_id_missing`, `invalid_request`, `connector_exists`
 */
export function createCreateConnector({ connectors, presets, addressPolicy, vault }: Deps) {
  return async (principal: Principal, request: CreateConnectorRequest): Promise<Connector> => {
    const url = readConnectorUrl(request.url, addressPolicy)
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
      ...changeAuth(vault, { ...initialAuth, id, tenantId: principal.tenantId }, request),
      scopes: request.scopes ?? [],
      createdByPrincipalId: principal.id,
    })
    if (created === null) throw connectorExists()
    return created
  }
}

export function connectorExists(): AppError {
  return new AppError('connector_exists', 'same url, owner and label', {
    publicDetail: 'You have a connector for this URL already. Use it, or give this one another label.',
  })
}
