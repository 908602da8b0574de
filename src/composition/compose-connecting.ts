import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { createChooseClient, createFindClient } from '../connections/choose-client.ts'
import { createConnect } from '../connections/connect.ts'
import { createConnectAsClient } from '../connections/connect-as-client.ts'
import { createDescribeNeed } from '../connections/describe-need.ts'
import { createDisconnect } from '../connections/disconnect.ts'
import { createExpireAccess } from '../connections/expire-access.ts'
import { createFindConnectUrl } from '../connections/find-connect-url.ts'
import { createFindServer } from '../connections/find-server.ts'
import { createManageConnectors } from '../connections/manage-connectors.ts'
import { createMintTicket } from '../connections/mint-ticket.ts'
import { createPrepareAuthorization } from '../connections/prepare-authorization.ts'
import { createRecoverUnauthorized } from '../connections/recover-unauthorized.ts'
import { createRedeemCallback } from '../connections/redeem-callback.ts'
import { createRedirectPolicy } from '../connections/redirect-policy.ts'
import { createResolveUpstream } from '../connections/resolve-upstream.ts'
import { createRevokeGrant } from '../connections/revoke-grant.ts'
import { createStepUpAsClient } from '../connections/step-up-as-client.ts'
import { createViewConnectors } from '../connections/view-connectors.ts'
import { createUpdateConnector } from '../connectors/update-connector.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Background } from '../log/background.ts'
import type { Logger } from '../log/logger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Storage } from '../storage/open-storage.ts'
import { clientKeysPath } from '../upstream/client-metadata-document.ts'
import { createRegisterClient } from '../upstream/register-client.ts'
import { createTokenEndpoint } from '../upstream/token-endpoint.ts'
import { createStoredKeys } from '../vault/stored-keys.ts'
import type { Vault } from '../vault/vault.ts'
import { composeRefresh, type RefreshParts } from './compose-refresh.ts'
import type { Outside } from './outside.ts'
import { watchStorage } from './watch-storage.ts'

type Deps = {
  readonly settings: Settings
  readonly timings: Timings
  readonly storage: Storage
  readonly outside: Outside
  readonly changes: Changes
  readonly background: Background
  readonly metrics: Metrics
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly redirectUri: string
  readonly log: Logger
  readonly refreshParts: RefreshParts
}

/** Everything that connects, renews and disconnects, and finds where calls go, wired: part of the composition root. */
export function composeConnecting({ settings, timings, storage, outside, ...deps }: Deps) {
  const { changes, background, metrics, vault, clock, random, redirectUri, log } = deps
  const { presets, addressPolicy, fetch, post, probe, discover, clientMetadataUrl } = outside
  const { connectors, connections, tickets, registrations, presetPins } = storage
  const publicUrl = settings.PUBLIC_URL
  const clientKeys = createStoredKeys({ store: storage.clientKeys, vault, purpose: 'client', changes, clock })
  const registerClient = createRegisterClient({ fetch, jwksUri: new URL(clientKeysPath, publicUrl).href })
  const tokenEndpoint = createTokenEndpoint({ post, clock, signingKey: clientKeys.signing })

  const findClient = createFindClient({ registrations, presets, presetPins, vault })
  const chooseClient = createChooseClient({
    connectors,
    registrations,
    presets,
    presetPins,
    registerClient,
    vault,
    clock,
    redirectUri,
    clientMetadataUrl,
  })
  const findServer = createFindServer({ discover })
  const prepareAuthorization = createPrepareAuthorization({ findServer, chooseClient, presets })
  const revokeGrant = createRevokeGrant({ tokenEndpoint, findClient, background, vault })
  const mintTicket = createMintTicket({ tickets, vault, clock, ticketTtlMs: timings.ticketTtlMs })
  const expireAccess = createExpireAccess({ connections, mintTicket, clock })
  const refreshing = composeRefresh({
    settings,
    timings: timings.refresh,
    leases: storage.leases,
    issuers: storage.issuers,
    due: storage.due,
    connections,
    registrations,
    tokenEndpoint,
    findClient,
    background,
    metrics: metrics.refresh,
    log,
    vault,
    clock,
    random,
    expireAccess,
    parts: deps.refreshParts,
  })
  watchStorage(metrics, storage, refreshing.spill)
  const { refreshConnection } = refreshing
  const redirectPolicy = createRedirectPolicy({
    publicUrl,
    allow: settings.REDIRECT_URL_ALLOW ?? [],
    isLoopbackAllowed: settings.isLoopback && settings.REDIRECT_URL_ALLOW === undefined,
  })
  const connectAsClient = createConnectAsClient({
    connections,
    prepareAuthorization,
    findClient,
    tokenEndpoint,
    probe,
    vault,
    clock,
    random,
  })
  const connect = createConnect({
    connectors,
    connections,
    probe,
    prepareAuthorization,
    connectAsClient,
    mintTicket,
    refreshConnection,
    redirectPolicy,
    vault,
    clock,
    totalMs: timings.connectMs,
  })
  const redeemCallback = createRedeemCallback({
    connections,
    connectors,
    tickets,
    registrations,
    findClient,
    tokenEndpoint,
    probe,
    background,
    vault,
    clock,
    random,
    redirectUri,
  })
  const disconnect = createDisconnect({ connections, revokeGrant })
  const viewConnectors = createViewConnectors({ connections, tickets, presets, vault, clock, publicUrl })
  const manageConnectors = createManageConnectors({
    connectors,
    connections,
    updateConnector: createUpdateConnector({ connectors, presets, addressPolicy, vault }),
    revokeGrant,
  })
  const findConnectUrl = createFindConnectUrl({ tickets, vault, clock, publicUrl })
  const describeNeed = createDescribeNeed({ presets, findConnectUrl })
  const resolveUpstream = createResolveUpstream({
    connectors,
    connections,
    refreshConnection,
    describeNeed,
    vault,
    clock,
  })
  const recoverUnauthorized = createRecoverUnauthorized({
    connectors,
    connections,
    resolveUpstream,
    refreshConnection,
    describeNeed,
    mintTicket,
    revokeGrant,
    stepUpAsClient: createStepUpAsClient({ connections, connectAsClient, clock }),
    findServer,
    presets,
    clock,
  })

  return {
    clientKeys,
    prepareAuthorization,
    chooseClient,
    findConnectUrl,
    connect,
    redeemCallback,
    disconnect,
    viewConnectors,
    manageConnectors,
    resolveUpstream,
    recoverUnauthorized,
    refreshConnection,
    refreshing,
  }
}
