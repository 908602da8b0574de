import type { Connector } from '../connectors/connector.ts'
import { openClientSecret, openPrivateKey } from '../connectors/connector-secrets.ts'
import type { ConnectorStore } from '../connectors/store.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { PresetCatalog } from '../presets/match-preset.ts'
import type { PresetPinStore } from '../presets/pin-store.ts'
import type { Preset } from '../presets/preset.ts'
import type { AuthorizationServer } from '../upstream/authorization-server.ts'
import type { Client, TokenEndpointAuthMethod } from '../upstream/client.ts'
import type { RegisterClient } from '../upstream/register-client.ts'
import type { Vault } from '../vault/vault.ts'
import { pickClientKind } from './client-options.ts'
import type { ClientSource, Connection } from './connection.ts'
import { openRegistrationSecret, sealFor } from './connection-secrets.ts'
import type { PinnedAuthorization, Registration, RegistrationStore } from './store.ts'

type Deps = {
  readonly connectors: Pick<ConnectorStore, 'pinClientIssuer'>
  readonly registrations: RegistrationStore
  readonly presets: PresetCatalog
  readonly presetPins: PresetPinStore
  readonly registerClient: RegisterClient
  readonly vault: Vault
  readonly clock: Clock
  readonly redirectUri: string
  /** The URL of our client metadata document; null where authorization servers could not fetch it. */
  readonly clientMetadataUrl: string | null
}

/** The methods that a server and we have in common, best first. A server that lists none means basic (RFC 8414 section 2). */
function pickAuthMethod(server: AuthorizationServer, hasSecret: boolean): TokenEndpointAuthMethod {
  const offered = server.tokenEndpointAuthMethods
  if (!hasSecret) return offered.includes('private_key_jwt') && !offered.includes('none') ? 'private_key_jwt' : 'none'
  return offered.includes('client_secret_post') && !offered.includes('client_secret_basic')
    ? 'client_secret_post'
    : 'client_secret_basic'
}

/**
 * Chooses the client with which to go to an authorization server: the connector's own, the preset's, our client metadata
 * document where the server takes it, else one registered dynamically (RFC 7591; kept per tenant, issuer and redirect URI).
 *
 * @throws AppError `client_id_required` when there is none and the server registers none, `client_registration_failed`,
 *   `authorization_server_changed` when the server names another issuer than its preset does, or the client is from
 */
export function createChooseClient({
  connectors,
  registrations,
  presets,
  presetPins,
  registerClient,
  vault,
  clock,
  redirectUri,
  clientMetadataUrl,
}: Deps) {
  return async (connector: Connector, server: AuthorizationServer): Promise<PinnedAuthorization> => {
    const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
    const kind = pickClientKind(
      {
        hasGivenClient: connector.clientId !== null,
        hasPresetClient: preset?.clientId !== undefined,
        hasMetadataDocument: clientMetadataUrl !== null,
      },
      server,
    )
    if (kind === 'given' && connector.clientId !== null) {
      await requireOwnIssuer(connector, server)
      const hasKey = connector.sealedPrivateKey !== null
      const method = hasKey ? 'private_key_jwt' : pickAuthMethod(server, connector.sealedClientSecret !== null)
      return pinned('connector', { clientId: connector.clientId, tokenEndpointAuthMethod: method })
    }
    if (kind === 'preset' && preset?.clientId !== undefined) {
      await requirePresetIssuer(preset, server)
      const method = pickAuthMethod(server, preset.clientSecret !== undefined)
      return pinned('preset', { clientId: preset.clientId, tokenEndpointAuthMethod: method })
    }
    if (kind === 'metadata_document' && clientMetadataUrl !== null) {
      return pinned('metadata_document', { clientId: clientMetadataUrl, tokenEndpointAuthMethod: 'none' })
    }
    const registration = (await liveRegistration(connector, server)) ?? (await register(connector, server))
    return pinned('registration', registration, registration.id)

    function pinned(source: ClientSource, client: PinnedAuthorization['client'], registrationId: string | null = null) {
      const { clientId, tokenEndpointAuthMethod } = client
      return { server, client: { clientId, tokenEndpointAuthMethod }, clientSource: source, registrationId }
    }
  }

  /** A client belongs to the first authorization server that it met. */
  async function requireOwnIssuer(connector: Connector, { issuer }: AuthorizationServer): Promise<void> {
    const clientIssuer = await connectors.pinClientIssuer(connector, issuer)
    if (clientIssuer === null) throw new AppError('conflict', 'the client of the connector was replaced meanwhile')
    if (clientIssuer === issuer) return
    throw new AppError('authorization_server_changed', 'server names another issuer than its client is from', {
      publicDetail:
        'This server now names another authorization server than the one that the client_id of this connector is from. Give the connector a client_id of the new one.',
      meta: { connectorId: connector.id, issuer },
    })
  }

  async function requirePresetIssuer(preset: Preset, { issuer }: AuthorizationServer): Promise<void> {
    if ((preset.issuer ?? (await presetPins.pin(preset.id, issuer))) === issuer) return
    throw new AppError('authorization_server_changed', 'server names another issuer than its preset', {
      meta: { presetId: preset.id, issuer },
    })
  }

  async function liveRegistration(connector: Connector, server: AuthorizationServer): Promise<Registration | null> {
    const found = await registrations.find(connector.tenantId, server.issuer, redirectUri)
    return found !== null && (found.expiresAt === null || found.expiresAt > clock.now()) ? found : null
  }

  async function register(connector: Connector, server: AuthorizationServer): Promise<Registration> {
    if (server.registrationEndpoint === undefined) {
      throw new AppError('client_id_required', 'no client and no registration endpoint', {
        publicDetail:
          'This server does not register clients by itself. Register an app with its vendor, using this redirect URI, and give the connector its client_id: ' +
          redirectUri,
      })
    }
    const client = await registerClient({ server, redirectUri })
    const row = { id: newId(), tenantId: connector.tenantId }
    const registration = {
      ...row,
      issuer: server.issuer,
      redirectUri,
      clientId: client.clientId,
      sealedClientSecret:
        client.clientSecret === undefined ? null : sealFor(vault, 'registrationSecret', row, client.clientSecret),
      tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
      expiresAt: client.expiresAt ?? null,
    }
    return registrations.save(registration, clock.now())
  }
}

export type ChooseClient = ReturnType<typeof createChooseClient>

/** Which client a grant belongs to; the facts that a connection or a flow keeps of it. */
export type ClientReference = Pick<Connection, 'tenantId' | 'clientSource' | 'registrationId'> & {
  /** The issuer that the grant is from: a preset's secret goes nowhere else. */
  readonly issuer: string | null
  readonly clientId: string
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod
}

/** What a connector says of the client that its grants belong to. */
export type ClientOwner = Pick<
  Connector,
  | 'id'
  | 'tenantId'
  | 'presetId'
  | 'clientId'
  | 'clientIssuer'
  | 'sealedClientSecret'
  | 'sealedPrivateKey'
  | 'keyId'
  | 'signingAlgorithm'
>
export type RegisteredSecret = Pick<Registration, 'id' | 'tenantId' | 'sealedClientSecret'>

/**
 * Finds a client's secret where it lives now: a rotated preset secret takes effect without touching connectors.
 *
 * @param found the client's registration, where the caller has read it already (null: there is none)
 * @returns null when the client is gone (preset removed, registration deleted, connector's client replaced)
 */
export function createFindClient({
  registrations,
  presets,
  presetPins,
  vault,
}: Pick<Deps, 'registrations' | 'presets' | 'presetPins' | 'vault'>) {
  return async (
    connector: ClientOwner,
    reference: ClientReference,
    found?: RegisteredSecret | null,
  ): Promise<Client | null> => {
    const { clientId, tokenEndpointAuthMethod } = reference
    const withSecret = (clientSecret: Client['clientSecret']): Client => ({
      clientId,
      tokenEndpointAuthMethod,
      ...(clientSecret === undefined ? {} : { clientSecret }),
    })
    if (reference.clientSource === 'connector') {
      const isFromHere = connector.clientIssuer === null || connector.clientIssuer === reference.issuer
      if (connector.clientId !== clientId || !isFromHere) return null
      return { ...withSecret(openClientSecret(vault, connector)), ...ownKey(connector) }
    }
    if (reference.clientSource === 'preset') {
      const preset = connector.presetId === null ? undefined : presets.byId(connector.presetId)
      if (preset?.clientId !== clientId) return null
      const issuer = preset.issuer ?? (await presetPins.find(preset.id))
      return issuer === reference.issuer ? withSecret(preset.clientSecret) : null
    }
    if (reference.clientSource === 'metadata_document') return withSecret(undefined)
    if (reference.registrationId === null) return null
    const registration =
      found === undefined ? await registrations.findById(reference.tenantId, reference.registrationId) : found
    return registration === null ? null : withSecret(openRegistrationSecret(vault, registration))
  }

  function ownKey(connector: ClientOwner): Pick<Client, 'privateKey'> {
    const pem = openPrivateKey(vault, connector)
    const { signingAlgorithm: algorithm, keyId } = connector
    return pem === undefined || algorithm === null ? {} : { privateKey: { pem, algorithm, keyId } }
  }
}

export type FindClient = ReturnType<typeof createFindClient>
