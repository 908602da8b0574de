import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { type AddressPolicy, createAddressPolicy } from '../egress/address-policy.ts'
import type { LookupAddresses } from '../egress/guarded-connector.ts'
import { createGuardedDispatcher } from '../egress/guarded-dispatcher.ts'
import { createGuardedFetch } from '../egress/guarded-fetch.ts'
import { createGuardedPost } from '../egress/guarded-post.ts'
import { createUpstreamClient } from '../egress/http1/upstream-client.ts'
import { createOpenWebSocket } from '../egress/open-websocket.ts'
import { createTracedFetch, createTracedPost } from '../egress/traced-fetch.ts'
import { noTracing, type Tracing } from '../kernel/tracing.ts'
import { clientMetadataUrl } from '../upstream/client-metadata-document.ts'
import { createDiscover } from '../upstream/discover.ts'
import { createLegacyTransports } from '../upstream/legacy-transport.ts'
import { createProbe } from '../upstream/probe.ts'
import { createCatalog } from './compose-catalog.ts'

export type OutsideOptions = {
  readonly settings: Settings
  readonly env: Readonly<Record<string, string | undefined>>
  readonly timings: Timings
  readonly egress?: EgressParts
  readonly tracing?: Tracing
}

/** Parts of the way out in place of the usual ones: for tests of what they keep out. */
export type EgressParts = {
  readonly addressPolicy?: AddressPolicy
  readonly lookup?: LookupAddresses
  /** Certificate authorities besides those that Node.js trusts, PEM. */
  readonly ca?: string
}

/** The half of the composition that needs no database: the way out, what asks upstreams, and the catalog. */
export type Outside = ReturnType<typeof createOutside>

/**
 * Wires egress, probe, discovery and presets. Opens nothing by itself; close it when done.
 *
 * @throws Error with a sentence for the operator when presets or `EGRESS_ALLOW` are not usable
 */
export function createOutside({ settings, env, timings, egress = {}, tracing = noTracing }: OutsideOptions) {
  const presets = createCatalog(settings, env)
  const { addressPolicy = policyOf(settings), ...connecting } = egress
  const dispatcher = createGuardedDispatcher({
    policy: addressPolicy,
    // a few more than translated sessions, for metadata, probes and tokens
    connectionsPerOrigin: settings.MCP_CALLS_PER_UPSTREAM + 24,
    ...connecting,
  })
  const upstreams = createUpstreamClient({ policy: addressPolicy, ...connecting })
  const fetch = createTracedFetch(createGuardedFetch({ policy: addressPolicy, dispatcher }), tracing)
  const post = createTracedPost(createGuardedPost({ policy: addressPolicy, dispatcher }), tracing)
  const openWebSocket = createOpenWebSocket({ policy: addressPolicy, dispatcher })
  const openTransport = createLegacyTransports({ fetch, openWebSocket })
  return {
    presets,
    addressPolicy,
    upstreams,
    fetch,
    post,
    openTransport,
    probe: createProbe({ fetch, openTransport, totalMs: timings.probeMs }),
    discover: createDiscover({
      fetch,
      totalMs: timings.discoveryMs,
      isLegacyFallbackAllowed: settings.LEGACY_ENDPOINT_FALLBACK === 'on',
    }),
    /** The URL of our client metadata document; null where authorization servers could not fetch it. */
    clientMetadataUrl: clientMetadataUrl(settings.PUBLIC_URL, settings.CLIENT_METADATA_URL),
    async close(): Promise<void> {
      upstreams.destroy()
      await dispatcher.close()
    },
  }
}

/** What the operator permits. */
function policyOf(settings: Settings): AddressPolicy {
  return createAddressPolicy({
    allow: settings.EGRESS_ALLOW ?? [],
    allowLoopback: settings.isLoopback && settings.EGRESS_ALLOW === undefined,
    ports: settings.EGRESS_PORTS,
    ownOrigins: [
      settings.PUBLIC_URL.origin,
      settings.INTERNAL_URL,
      settings.DATABASE_URL?.reveal(),
      settings.REDIS_URL?.reveal(),
    ].filter((origin) => origin !== undefined),
  })
}
