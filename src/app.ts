import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import { createRateLimit } from './access/rate-limit.ts'
import { createScanLimit } from './access/scan-limit.ts'
import { createAuditLog } from './audit/audit-log.ts'
import type { AppOptions } from './composition/app-options.ts'
import { composeAccess } from './composition/compose-access.ts'
import { composeAnnouncing } from './composition/compose-announcing.ts'
import { composeConnecting } from './composition/compose-connecting.ts'
import { composeHosts } from './composition/compose-hosts.ts'
import { composeHousekeeping } from './composition/compose-housekeeping.ts'
import { composeInsight } from './composition/compose-insight.ts'
import { composeMcpEndpoint } from './composition/compose-mcp-endpoint.ts'
import { composePages } from './composition/compose-pages.ts'
import { createOutside } from './composition/outside.ts'
import { productVersion } from './config/product-version.ts'
import { defaultTimings } from './config/timings.ts'
import { createBeginConnect } from './connections/begin-connect.ts'
import { createPostCompletion } from './connections/post-completion.ts'
import { createRefreshAtOnce } from './connections/refresh-at-once.ts'
import { createCreateConnector } from './connectors/create-connector.ts'
import { createDiagnose } from './doctor/diagnose.ts'
import { createApiRouter } from './http/api-router.ts'
import { createFrontDoor, type FrontDoor } from './http/front-door.ts'
import { createKoaHandler } from './http/koa-app.ts'
import { loopbackHosts } from './http/loopback-hosts.ts'
import { describeApi } from './http/openapi.ts'
import type { ReadinessReport } from './http/readiness-report.ts'
import { createRepresentConnectors } from './http/represent-connectors.ts'
import { createAuditRoutes } from './http/routes/audit-routes.ts'
import { createClientRoutes } from './http/routes/client-routes.ts'
import { callbackPath } from './http/routes/connect-pages.ts'
import { createConnectionRoutes } from './http/routes/connection-routes.ts'
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
import { readKeyring } from './vault/key-check.ts'
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
  const { presets, addressPolicy, fetch } = outside
  const background = createBackground(log)
  const metrics = createMetrics()

  const storage = openStorage({
    url: databaseUrl,
    poolSize: settings.DATABASE_POOL_SIZE,
    waitMs: 1000 * settings.DATABASE_WAIT,
    issuerLimits: { slotsPerIssuer: settings.REFRESH_PER_ISSUER, breaker: timings.refresh.breaker },
    onUnavailable: metrics.databaseFailed,
  })
  const { access, connectors, connections, flows, events, presetPins } = storage
  const changes = createNotifications({ url: databaseUrl, log })
  const redisProbe = settings.REDIS_URL === undefined ? null : createRedisProbe(settings.REDIS_URL)

  const caller = composeAccess({ settings, access, fetch, clock })
  const connecting = composeConnecting({
    settings,
    timings,
    storage,
    outside,
    changes,
    background,
    metrics,
    vault,
    clock,
    random,
    redirectUri,
    log,
    refreshParts: options.refresh ?? {},
  })

  const { connect, redeemCallback, resolveUpstream, refreshConnection, refreshing } = connecting
  const scanLimit = createScanLimit({ clock, failuresPerMinute: settings.FAILED_CONNECTS_PER_MINUTE })
  const represent = createRepresentConnectors({ viewConnectors: connecting.viewConnectors, publicUrl })
  const connectorRoutes = createConnectorRoutes({
    connectors,
    presets,
    createConnector: createCreateConnector({ connectors, presets, addressPolicy, vault }),
    manageConnectors: connecting.manageConnectors,
    represent,
  })
  const connectionRoutes = createConnectionRoutes({
    connectors,
    connections,
    events,
    represent,
    connect,
    scanLimit,
    postCompletion: createPostCompletion({ flows, redeemCallback, vault, clock }),
    disconnect: connecting.disconnect,
    refreshAtOnce: createRefreshAtOnce({ connections, refreshConnection }),
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
    ...connectionRoutes,
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
      recoverUnauthorized: connecting.recoverUnauthorized,
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
        createClientRoutes({ publicUrl, redirectUri, clientKeys: connecting.clientKeys }),
        ...composePages({
          settings,
          timings,
          storage,
          presets,
          vault,
          clock,
          redirectUri,
          connecting,
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
      await outside.close()
      redisProbe?.close()
      await storage.close()
      await tracing.close()
    },
  }
}
