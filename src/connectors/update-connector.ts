import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Vault } from '../vault/vault.ts'
import { sealClientSecret } from './client-secret.ts'
import type { Connector, ConnectorAuthType, ConnectorMetadata, Transport } from './connector.ts'
import { clientIdMissing, connectorExists } from './create-connector.ts'
import { readConnectorUrl } from './read-connector-url.ts'
import type { ConnectorChanges, ConnectorStore } from './store.ts'

/** Absent: as it is. Null: cleared. */
export type UpdateConnectorRequest = {
  readonly url?: string
  readonly clientId?: string | null
  readonly clientSecret?: Secret | null
  readonly metadata?: ConnectorMetadata | null
  readonly transport?: Transport
  readonly authType?: ConnectorAuthType
  readonly scopes?: readonly string[]
  readonly label?: string
  readonly enabled?: boolean
}

type Deps = {
  readonly connectors: ConnectorStore
  readonly presets: PresetCatalog
  readonly addressPolicy: AddressPolicy
  readonly vault: Vault
}

/**
 * Changes a connector's settings. The caller has checked that the principal may.
 *
 * When what its credentials were issued for changes (another URL, client or kind of authorization), every connection
 * loses its grant, flows and links in the same transaction: a token never meets a host it was not made for.
 *
 * @returns the new connector, and whether that happened
 * @throws AppError `url_invalid`, `url_not_allowed`, `client_id_missing`, `connector_exists`, `not_found`
 */
export function createUpdateConnector({ connectors, presets, addressPolicy, vault }: Deps) {
  return async (
    principal: Principal,
    connector: Connector,
    request: UpdateConnectorRequest,
  ): Promise<{ connector: Connector; voidsCredentials: boolean }> => {
    const changes: ConnectorChanges = {
      ...(request.url === undefined ? {} : changedUrl(request.url)),
      ...(request.clientId === undefined ? {} : { clientId: request.clientId }),
      ...(request.clientSecret === undefined
        ? request.clientId === undefined
          ? {}
          : { sealedClientSecret: null } // a secret belongs to the client id that it came with
        : {
            sealedClientSecret:
              request.clientSecret === null ? null : sealClientSecret(vault, connector, request.clientSecret),
          }),
      ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
      ...(request.transport === undefined ? {} : { transport: request.transport }),
      ...(request.authType === undefined ? {} : { authType: request.authType }),
      ...(request.scopes === undefined ? {} : { scopes: request.scopes }),
      ...(request.label === undefined ? {} : { label: request.label }),
      ...(request.enabled === undefined ? {} : { enabled: request.enabled }),
    }
    const next = { ...connector, ...changes }
    if (next.sealedClientSecret !== null && next.clientId === null) throw clientIdMissing()
    const voidsCredentials =
      next.url !== connector.url ||
      next.authType !== connector.authType ||
      next.clientId !== connector.clientId ||
      next.sealedClientSecret !== connector.sealedClientSecret
    const updated = await connectors.update(connector, changes, { voidsCredentials, actorId: principal.id })
    if (updated === 'exists') throw connectorExists()
    if (updated === null) throw new AppError('not_found', 'connector went away')
    return { connector: updated, voidsCredentials }

    function changedUrl(raw: string): ConnectorChanges {
      const url = readConnectorUrl(raw, addressPolicy)
      return { url: url.href, urlKey: url.key, presetId: presets.match(url)?.id ?? null }
    }
  }
}
