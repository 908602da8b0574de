import type { AddressPolicy } from '../egress/address-policy.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Principal } from '../kernel/principal.ts'
import type { Secret } from '../kernel/secret.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connector, ConnectorAuth, ConnectorMetadata, Transport } from './connector.ts'
import { type AuthRequest, authOf, changeAuth, voidsGrants } from './connector-auth.ts'
import { connectorExists } from './create-connector.ts'
import { readConnectorUrl } from './read-connector-url.ts'
import type { ConnectorChanges, ConnectorStore } from './store.ts'

/** Absent: as it is. Null: cleared. */
export type UpdateConnectorRequest = {
  readonly url?: string
  readonly clientId?: string | null
  readonly clientSecret?: Secret | null
  readonly metadata?: ConnectorMetadata | null
  readonly transport?: Transport
  readonly auth?: AuthRequest
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
 * @throws AppError `url_invalid`, `url_not_allowed`, `client_id_missing`, `invalid_request`, `connector_exists`,
 *   `not_found`
 */
export function createUpdateConnector({ connectors, presets, addressPolicy, vault }: Deps) {
  return async (
    principal: Principal,
    connector: Connector,
    request: UpdateConnectorRequest,
  ): Promise<{ connector: Connector; voidsCredentials: boolean }> => {
    const before = authOf(connector)
    const after = changedAuth()
    const changes: ConnectorChanges = {
      ...after,
      ...(request.url === undefined ? {} : changedUrl(request.url)),
      ...(request.metadata === undefined ? {} : { metadata: request.metadata }),
      ...(request.transport === undefined ? {} : { transport: request.transport }),
      ...(request.scopes === undefined ? {} : { scopes: request.scopes }),
      ...(request.label === undefined ? {} : { label: request.label }),
      ...(request.enabled === undefined ? {} : { enabled: request.enabled }),
    }
    const isElsewhere = changes.url !== undefined && changes.url !== connector.url
    const voidsCredentials = isElsewhere || (after !== null && voidsGrants(before, after))
    const updated = await connectors.update(connector, changes, { voidsCredentials, actorId: principal.id })
    if (updated === 'exists') throw connectorExists()
    if (updated === null) throw new AppError('not_found', 'connector went away')
    return { connector: updated, voidsCredentials }

    function changedUrl(raw: string): ConnectorChanges {
      const url = readConnectorUrl(raw, addressPolicy)
      const presetId = presets.match(url)?.id ?? null
      return { url: url.href, urlKey: url.key, presetId, ...(url.href === connector.url ? {} : { clientIssuer: null }) }
    }

    /** Null where nothing is said about it, so that another change at the same moment stands. */
    function changedAuth(): ConnectorAuth | null {
      const { auth, clientId, clientSecret } = request
      if (auth === undefined && clientId === undefined && clientSecret === undefined) return null
      const { id, tenantId } = connector
      return changeAuth(vault, { ...before, id, tenantId }, request)
    }
  }
}
