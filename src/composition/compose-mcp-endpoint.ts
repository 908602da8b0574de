import { createKnownCallers } from '../access/known-callers.ts'
import type { WrongKeys } from '../access/wrong-keys.ts'
import type { Settings } from '../config/settings.ts'
import { createKnownUpstreams } from '../connections/known-upstreams.ts'
import type { ResolveUpstream } from '../connections/resolve-upstream.ts'
import { askPeer } from '../egress/ask-peer.ts'
import { createShowBrowser } from '../http/show-browser.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Tracing } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { RelayMetrics } from '../metrics/relay-metrics.ts'
import { createAuthenticateCaller } from '../proxy/authenticate-caller.ts'
import { createMcpEndpoint, type McpEndpoint } from '../proxy/mcp-endpoint.ts'
import type { OwnPlace } from '../proxy/own-place.ts'
import type { BeginConnect, RecoverUnauthorized } from '../proxy/ports.ts'
import type { Vault } from '../vault/vault.ts'
import type { Outside } from './outside.ts'

type Parts = {
  readonly settings: Settings
  readonly outside: Pick<Outside, 'upstreams' | 'openTransport'>
  readonly changes: Changes
  readonly place: OwnPlace
  readonly verify: Parameters<typeof createKnownCallers>[0]['verify']
  readonly wrongKeys: WrongKeys
  readonly resolveUpstream: ResolveUpstream
  readonly recoverUnauthorized: RecoverUnauthorized
  readonly beginConnect: BeginConnect
  readonly vault: Vault
  readonly clock: Clock
  readonly metrics: RelayMetrics
  readonly tracing: Tracing
  readonly log: Logger
}

/** The MCP endpoint of a server process, with a memory for callers and connections. */
export function composeMcpEndpoint(parts: Parts): McpEndpoint {
  const { settings, outside, changes, resolveUpstream, recoverUnauthorized, beginConnect, vault, clock } = parts
  // before the endpoint subscribes: what it looks up on a change must be what the change left
  const knownCallers = createKnownCallers({ verify: parts.verify, changes, clock })
  const knownUpstreams = createKnownUpstreams({ resolveUpstream, changes, clock })
  return createMcpEndpoint({
    authenticate: createAuthenticateCaller({
      verify: knownCallers,
      wrongKeys: parts.wrongKeys,
      trustedProxies: settings.TRUSTED_PROXIES,
    }),
    resolveUpstream: knownUpstreams.resolve,
    async recoverUnauthorized(principal, target, answer) {
      const resolution = await recoverUnauthorized(principal, target, answer)
      knownUpstreams.forget(target.connectorId)
      return resolution
    },
    async beginConnect(principal, connectorId) {
      const resolution = await beginConnect(principal, connectorId)
      knownUpstreams.forget(connectorId)
      return resolution
    },
    changes,
    vault,
    clock,
    upstreams: outside.upstreams,
    openTransport: outside.openTransport,
    askPeer,
    place: parts.place,
    sessionKeys: vault.deriveKeys('mcp-session'),
    publicUrl: settings.PUBLIC_URL,
    showBrowser: createShowBrowser(settings.PUBLIC_URL),
    allowedOrigins: settings.CORS_ORIGINS ?? [],
    limits: {
      maxRequestBytes: settings.MCP_BODY_LIMIT,
      answerTimeoutMs: 1000 * settings.MCP_ANSWER_TIMEOUT,
      idleMs: 1000 * settings.MCP_STREAM_IDLE,
      streamLifeMs: 1000 * settings.MCP_STREAM_LIFE,
      callsPerSecond: settings.MCP_RATE_LIMIT,
      callsPerCaller: settings.MCP_CALLS_PER_CALLER,
      callsPerUpstream: settings.MCP_CALLS_PER_UPSTREAM,
    },
    metrics: parts.metrics,
    tracing: parts.tracing,
    log: parts.log,
  })
}
