import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Agent, type Dispatcher } from 'undici'
import { readCredential } from '../../../src/access/authenticate.ts'
import type { Resolution, UpstreamTarget } from '../../../src/connections/resolve-upstream.ts'
import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { askPeer } from '../../../src/egress/ask-peer.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { createUpstreamClient } from '../../../src/egress/http1/upstream-client.ts'
import { createOpenWebSocket } from '../../../src/egress/open-websocket.ts'
import { createFrontDoor, serverOptions } from '../../../src/http/front-door.ts'
import { createShowBrowser } from '../../../src/http/show-browser.ts'
import { AppError } from '../../../src/kernel/app-error.ts'
import type { Changes } from '../../../src/kernel/changes.ts'
import { systemClock } from '../../../src/kernel/clock.ts'
import type { Principal } from '../../../src/kernel/principal.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { noTracing } from '../../../src/kernel/tracing.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { createMetrics, type Metrics } from '../../../src/metrics/metrics.ts'
import type { ProxyLimits } from '../../../src/proxy/limits.ts'
import { createMcpEndpoint, type McpEndpoint } from '../../../src/proxy/mcp-endpoint.ts'
import { createOwnPlace } from '../../../src/proxy/own-place.ts'
import type { BeginConnect, RecoverUnauthorized, ResolveUpstream } from '../../../src/proxy/ports.ts'
import { createLegacyTransports } from '../../../src/upstream/legacy-transport.ts'
import { createVault } from '../../../src/vault/vault.ts'

export const connectorId = '019b0000-0000-7000-8000-000000000001'

/** Keys that callers may use, and whose they are. */
export const keys = { alice: 'pbk_alice-key', bob: 'pbk_bob-key' } as const

const silentChanges: Changes = { subscribe: () => () => {}, isLive: () => true, close: async () => {} }

export const bearer = (name: keyof typeof keys): { authorization: string } => ({
  authorization: `Bearer ${keys[name]}`,
})

export type StartOptions = {
  readonly upstreamUrl: string
  readonly resolve?: ResolveUpstream
  readonly recover?: RecoverUnauthorized
  readonly begin?: BeginConnect
  /** More people whose key is `pbk_<name>`. */
  readonly callers?: readonly string[]
  readonly changes?: Changes
  readonly limits?: Partial<ProxyLimits>
  readonly allowedOrigins?: readonly string[]
}

export type StartedEndpoint = {
  readonly origin: string
  readonly port: number
  /** The MCP endpoint of `connectorId`. */
  readonly url: string
  readonly endpoint: McpEndpoint
  /** What was logged, one parsed line each. */
  readonly log: readonly Record<string, unknown>[]
  readonly metrics: Metrics
  inFlight(): number
  close(): Promise<void>
}

/** A target as connections would hand it over. */
export function targetOf(url: string, change: Partial<UpstreamTarget> = {}): UpstreamTarget {
  return {
    tenantId: 'tenant',
    connectorId,
    connectionId: 'connection',
    grantEpoch: 1,
    tokenVersion: 1,
    url,
    translation: null,
    headers: { authorization: new Secret('Bearer upstream-token') },
    isRefreshable: true,
    expiresAt: null,
    ...change,
  }
}

export const usable = (target: UpstreamTarget): Resolution => ({ kind: 'usable', target })

/**
 * The front door and the MCP endpoint on a real port, with the guarded dispatcher: everything but the store behind
 * `authenticate` and `resolveUpstream`.
 */
export async function startEndpoint(options: StartOptions): Promise<StartedEndpoint> {
  const server = createServer(serverOptions)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const publicUrl = new URL(`http://127.0.0.1:${port}`)
  const log: Record<string, unknown>[] = []
  const logger = createLogger('debug', { write: (line) => void log.push(JSON.parse(line)) })
  const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [443] })
  const upstreams = createUpstreamClient({ policy })
  const dispatcher = createGuardedDispatcher({ policy, connectionsPerOrigin: 2048 })
  const key = randomBytes(32)
  const metrics = createMetrics()
  const endpoint = createMcpEndpoint({
    authenticate: async (request) => ({
      principal: principalOf(readCredential(request), options.callers ?? []),
      credentialId: null,
      expiresAt: null,
    }),
    resolveUpstream: options.resolve ?? (async () => usable(targetOf(options.upstreamUrl))),
    recoverUnauthorized: options.recover ?? (async (_principal, target) => usable(target)),
    changes: options.changes ?? silentChanges,
    beginConnect:
      options.begin ??
      (async (principal) =>
        (options.resolve ?? (async () => usable(targetOf(options.upstreamUrl))))(principal, connectorId)),
    vault: createVault({ activeKid: 'k', keys: new Map([['k', key]]) }),
    clock: systemClock,
    upstreams,
    openTransport: createLegacyTransports({
      fetch: createGuardedFetch({ policy, dispatcher }),
      openWebSocket: createOpenWebSocket({ policy, dispatcher }),
    }),
    askPeer,
    place: createOwnPlace(null, null),
    sessionKeys: { active: key, all: [key] },
    publicUrl,
    showBrowser: createShowBrowser(publicUrl),
    allowedOrigins: options.allowedOrigins ?? [],
    metrics: metrics.relay,
    tracing: noTracing,
    log: logger,
    limits: options.limits ?? {},
  })
  const door = createFrontDoor({
    trustedProxies: 0,
    publicUrl,
    allowedHosts: [`localhost:${port}`],
    mcpEndpoint: endpoint,
    koaCallback: (_request, response) => response.writeHead(404).end('koa'),
    metrics: metrics.http,
    callEnded: () => {},
    log: logger,
    now: () => performance.now(),
  })
  server.on('request', door.handle)
  return {
    origin: publicUrl.origin,
    port,
    url: `${publicUrl.origin}/connectors/${connectorId}/mcp`,
    endpoint,
    log,
    metrics,
    inFlight: door.inFlight,
    close: async () => {
      endpoint.stop()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      upstreams.destroy()
      await dispatcher.destroy()
    },
  }
}

function principalOf(key: string | null, callers: readonly string[]): Principal {
  const name =
    Object.entries(keys).find(([, value]) => value === key)?.[0] ?? callers.find((caller) => `pbk_${caller}` === key)
  if (name === undefined) throw new AppError('unauthenticated', 'no such key')
  return { id: name, tenantId: 'tenant', kind: 'user', subject: name, role: 'member', scopes: new Set(), label: name }
}

export type Answered = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type CallOptions = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly path?: string
}

const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })

/** A caller: one HTTP request, its whole answer. */
export type Caller = {
  call(options?: CallOptions): Promise<Answered>
  /** The head of the answer and its open body. */
  open(options?: CallOptions & { readonly signal?: AbortSignal }): Promise<Dispatcher.ResponseData>
  close(): Promise<void>
}

/** Calls as Alice unless told otherwise, POST with a ping unless told otherwise. */
export function createCaller(target: StartedEndpoint): Caller {
  const agent = new Agent({ bodyTimeout: 0, connections: 2048 })
  const open: Caller['open'] = ({ method = 'POST', headers = {}, body, path, signal } = {}) =>
    agent.request({
      origin: target.origin,
      path: path ?? new URL(target.url).pathname,
      method: method as Dispatcher.HttpMethod,
      headers: {
        ...bearer('alice'),
        accept: 'application/json, text/event-stream',
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      body: body ?? (method === 'POST' ? ping : null),
      ...(signal === undefined ? {} : { signal }),
    })
  return {
    open,
    call: async (options) => {
      const { statusCode, headers, body } = await open(options)
      return { status: statusCode, headers, body: await body.text() }
    },
    close: () => agent.destroy(),
  }
}

/** Sends bytes over a socket of their own and reads until the other side closes, or `isEnough` of it. */
export function sendBytes(
  port: number,
  bytes: string,
  isEnough: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (isEnough(text)) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
