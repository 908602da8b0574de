import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import { createRateLimit } from './access/rate-limit.ts'
import { createScanLimit } from './access/scan-limit.ts'
import { createAuditLog } from './audit/audit-log.ts'
import type { AppOptions } from './composition/app-options.ts'
import { composeAccess } from './composition/compose-access.ts'
import { composeAnnouncing } from './composition/compose-announcing.ts'
import { composeHosts } from './composition/compose-hosts.ts'
import { composeHousekeeping } from './composition/compose-housekeeping.ts'
import { composeInsight } from './composition/compose-insight.ts'
import { composeMcpEndpoint } from './composition/compose-mcp-endpoint.ts'
import { composePages } from './composition/compose-pages.ts'
import { composeRefresh } from './composition/compose-refresh.ts'
import { createOutside } from './composition/outside.ts'
import { watchStorage } from './composition/watch-storage.ts'
import { productVersion } from './config/product-version.ts'
import { defaultTimings } from './config/timings.ts'
import { createBeginConnect } from './connections/begin-connect.ts'
import { createChooseClient, createFindClient } from './connections/choose-client.ts'
import { createConnect } from './connections/connect.ts'
import { createConnectAsClient } from './connections/connect-as-client.ts'
import { createDescribeNeed } from './connections/describe-need.ts'
import { createDisconnect } from './connections/disconnect.ts'
import { createExpireAccess } from './connections/expire-access.ts'
import { createFindConnectUrl } from './connections/find-connect-url.ts'
import { createFindServer } from './connections/find-server.ts'
import { createManageConnectors } from './connections/manage-connectors.ts'
import { createMintTicket } from './connections/mint-ticket.ts'
import { createPostCompletion } from './connections/post-completion.ts'
import { createPrepareAuthorization } from './connections/prepare-authorization.ts'
import { createRecoverUnauthorized } from './connections/recover-unauthorized.ts'
import { createRedeemCallback } from './connections/redeem-callback.ts'
import { createRedirectPolicy } from './connections/redirect-policy.ts'
import { createRefreshAtOnce } from './connections/refresh-at-once.ts'
import { createResolveUpstream } from './connections/resolve-upstream.ts'
import { createRevokeGrant } from './connections/revoke-grant.ts'
import { createStepUpAsClient } from './connections/step-up-as-client.ts'
import { createViewConnectors } from './connections/view-connectors.ts'
import { createCreateConnector } from './connectors/create-connector.ts'
import { createUpdateConnector } from './connectors/update-connector.ts'
import { createDiagnose } from './doctor/diagnose.ts'
import { createApiRouter } from './http/api-router.ts'
import { createFrontDoor, type FrontDoor } from './http/front-door.ts'
import { createKoaHandler } from './http/koa-app.ts'
import { loopbackHosts } from './http/loopback-hosts.ts'
import { describeApi } from './http/openapi.ts'
import type { ReadinessReport } from './http/readiness-report.ts'
import { createAuditRoutes } from './http/routes/audit-routes.ts'
import { createClientRoutes } from './http/routes/client-routes.ts'
import { callbackPath } from './http/routes/connect-pages.ts'
import { createConnectorRoutes } from './http/routes/connector-routes.ts'
import { createDoctorRoutes } from './http/routes/doctor-routes.ts'
import { createServiceRoutes } from './http/routes/service-routes.ts'
import { systemClock } from './kernel/clock.ts'
import { noTracing } from './kernel/tracing.ts'
import { createBackground } from './log/background.ts'
import { createMetrics } from './metrics/metrics.ts'
import { migrationNames } from './process/prepare-database.ts'
import { createReadiness } from './process/readiness.ts'
import { createVerifyMcpCaller } from './proxy/authenticate-caller.ts'
import type { McpEndpoint } from './proxy/mcp-endpoint.ts'
import { createOwnPlace } from './proxy/own-place.ts'
import { createRedisProbe } from './queue/redis-probe.ts'
import { createNotifications } from './storage/notifications.ts'
import { openStorage } from './storage/open-storage.ts'
import { clientKeysPath } from './upstream/client-metadata-document.ts'
import { createRegisterClient } from './upstream/register-client.ts'
import { createTokenEndpoint } from './upstream/token-endpoint.ts'
import { readKeyring } from './vault/key-check.ts'
import { createStoredKeys } from './vault/stored-keys.ts'
import { createVault } from './vault/vault.ts'

type HttpParts = {
  readonly frontDoor: FrontDoor
  readonly mcpEndpoint: McpEndpoint
  /** Where the other processes of this server reach this one; null when there are none. */
  readonly peerSocket: string | null
}

/** Everything that a process of Patchbay can do, wired once. The server uses the handlers, the worker the use cases. */
export type App = ReturnType<typeof createApp>

/**
 * The composition root: every use case and every store is made here, and here only.
 *
 * @throws Error with a sentence for the operator when keys or presets are not usable
 */
export function createApp(options: AppOptions) {
  const { settings, databaseUrl, log, env, clock = systemClock, timings = defaultTimings, egress = {} } = options
  const { tracing = noTracing } = options
  const publicUrl = settings.PUBLIC_URL
  const redirectUri = new URL(callbackPath, publicUrl).href
  const random = Math.random

  const vault = createVault(readKeyring(settings.ENCRYPTION_KEYS, settings.DATA_DIR))
  const outside = createOutside({ settings, env, timings, egress, tracing })
  const { presets, addressPolicy, dispatcher, fetch, post, probe, discover, clientMetadataUrl } = outside
  const background = createBackground(log)
  const metrics = createMetrics()

  const storage = openStorage({
    url: databaseUrl,
    poolSize: settings.DATABASE_POOL_SIZE,
    waitMs: 1000 * settings.DATABASE_WAIT,
    issuerLimits: { slotsPerIssuer: settings.REFRESH_PER_ISSUER, breaker: timings.refresh.breaker },
    onUnavailable: metrics.databaseFailed,
  })
  const { access, connectors, connections, tickets, flows, registrations, events, presetPins } = storage
  const changes = createNotifications({ url: databaseUrl, log })
  const redisProbe = settings.REDIS_URL === undefined ? null : createRedisProbe(settings.REDIS_URL)

  const clientKeys = createStoredKeys({ store: storage.clientKeys, vault, purpose: 'client', changes, clock })
  const registerClient = createRegisterClient({ fetch, jwksUri: new URL(clientKeysPath, publicUrl).href })
  const tokenEndpoint = createTokenEndpoint({ post, clock, signingKey: clientKeys.signing })

  const caller = composeAccess({ settings, access, fetch, clock })
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
    parts: options.refresh ?? {},
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

  const scanLimit = createScanLimit({ clock, failuresPerMinute: settings.FAILED_CONNECTS_PER_MINUTE })
  const connectorRoutes = createConnectorRoutes({
    connectors,
    connections,
    events,
    presets,
    createConnector: createCreateConnector({ connectors, presets, addressPolicy, vault }),
    manageConnectors,
    viewConnectors,
    connect,
    scanLimit,
    postCompletion: createPostCompletion({ flows, redeemCallback, vault, clock }),
    disconnect,
    refreshAtOnce: createRefreshAtOnce({ connections, refreshConnection }),
    publicUrl,
  })
  const diagnose = createDiagnose({ ...outside, findPinnedIssuer: presetPins.find, log })
  const announcing = composeAnnouncing({
    ...outside,
    settings,
    storage,
    changes,
    vault,
    clock,
    random,
    timings,
    metrics: metrics.announcing,
    tracing,
    log,
  })
  const audit = createAuditLog({ audit: storage.audit, log })
  const hosts = composeHosts({ settings, storage, presets, fetch, vault, changes, clock, audit, log })
  const insight = composeInsight({ settings, storage, clock, timings, metrics, log })
  const routes = [
    ...connectorRoutes,
    ...createDoctorRoutes({ diagnose, scanLimit }),
    ...announcing.apiRoutes,
    ...hosts.apiRoutes,
    ...caller.apiRoutes,
    ...insight.apiRoutes,
    ...createAuditRoutes({ audit: storage.audit }),
  ]
  const openApi = describeApi(routes, productVersion())

  /** The HTTP side, for the server process. */
  function createHttp(readiness: () => Promise<ReadinessReport>): HttpParts {
    insight.startRecording()
    const place = createOwnPlace(options.group ?? null, settings.INTERNAL_URL ?? null)
    const mcpEndpoint = composeMcpEndpoint({
      settings,
      outside,
      changes,
      place,
      verify: createVerifyMcpCaller({
        verifyCaller: caller.verifyCaller,
        verifyAccessToken: hosts.verifyAccessToken,
        publicUrl,
      }),
      wrongKeys: caller.wrongKeys,
      resolveUpstream,
      recoverUnauthorized,
      beginConnect: createBeginConnect({ connectors, connect, resolveUpstream }),
      vault,
      clock,
      metrics: metrics.relay,
      tracing,
      log,
    })
    const koaHandler = createKoaHandler({
      routers: [
        createServiceRoutes({ publicUrl, readiness }),
        createClientRoutes({ publicUrl, redirectUri, clientKeys }),
        ...composePages({
          settings,
          timings,
          storage,
          presets,
          vault,
          clock,
          redirectUri,
          prepareAuthorization,
          chooseClient,
          connect,
          findConnectUrl,
          redeemCallback,
          audit,
          hosts,
        }),
        createApiRouter({
          routes,
          authenticate: caller.authenticate,
          rateLimit: createRateLimit({ points: 10 * settings.API_RATE_LIMIT, seconds: 10 }),
          audit,
          openApi,
          tracing,
        }),
      ],
      addressLimit: createRateLimit({ points: 10 * settings.ADDRESS_RATE_LIMIT, seconds: 10 }),
      log,
      publicUrl,
    })
    const koaCallback = (request: IncomingMessage, response: ServerResponse) => void koaHandler(request, response)
    const frontDoor = createFrontDoor({
      publicUrl,
      trustedProxies: settings.TRUSTED_PROXIES,
      allowedHosts: settings.isLoopback ? loopbackHosts(publicUrl) : [],
      mcpEndpoint,
      koaCallback,
      metrics: metrics.http,
      callEnded: insight.callEnded,
      log,
      now: () => performance.now(),
    })
    return { frontDoor, mcpEndpoint, peerSocket: place.socketPath }
  }

  /** What `/readyz` answers. */
  function createReadinessCheck(isShuttingDown: () => boolean): () => Promise<ReadinessReport> {
    return createReadiness({
      state: storage.state,
      migrations: migrationNames,
      isQueueReachable: redisProbe === null ? null : redisProbe.isReachable,
      isShuttingDown,
    })
  }

  return {
    /** What this process counts, and where its traces go. */
    metrics,
    tracing,
    access,
    connections,
    presets,
    presetPins,
    /** Leases, single renewals and what waits for the database: what scheduled runs are made of. */
    refreshing,
    webhooks: announcing.webhooks,
    deliverWebhook: announcing.deliverWebhook,
    changes,
    /** Deletes what is over. */
    keepHouse: composeHousekeeping({ settings, storage, clock }),
    issueApiKey: caller.issueApiKey,
    bootstrapAccess: caller.bootstrapAccess,
    createHttp,
    createReadinessCheck,
    /** Stores what was counted of calls, now: tests do not wait for the timer. */
    storeCallCounts: insight.flush,
    /** Ends the event streams, which go on by themselves. */
    endEventStreams: announcing.endEventStreams,
    /** The description of the REST API (OpenAPI 3.1). */
    openApi,
    /** Waits for what runs in the background, then closes every connection. */
    async close(): Promise<void> {
      await refreshing.close()
      await insight.stop()
      await background.drain()
      await changes.close()
      await dispatcher.close()
      redisProbe?.close()
      await storage.close()
      await tracing.close()
    },
  }
}
