import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerOptions, type ServerResponse, STATUS_CODES } from 'node:http'
import { clientAddress } from '../access/client-address.ts'
import type { CallTally } from '../insight/tally.ts'
import type { ErrorCode } from '../kernel/app-error.ts'
import { noSpan, type Span } from '../kernel/tracing.ts'
import type { Logger } from '../log/logger.ts'
import type { HttpMetrics, Surface } from '../metrics/http-metrics.ts'
import { type McpCall, newCall } from '../proxy/call.ts'
import type { McpEndpoint } from '../proxy/mcp-endpoint.ts'
import { createRecordEnd } from './record-end.ts'

/**
 * How the HTTP server is to be made: bounds on headers and on slow senders (PX-14, PX-16). What Node refuses by itself
 * (two lengths, a length beside chunks, bare line feeds) stays refused.
 */
export const serverOptions: ServerOptions = {
  insecureHTTPParser: false,
  requireHostHeader: true,
  maxHeaderSize: 16 * 1024,
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  keepAliveTimeout: 65_000,
}

/** What is known of a request from its first line on. Handlers may say who asked; the access log tells it. */
export type RequestRecord = {
  readonly requestId: string
  /** Of the client, as far as proxies are believed. */
  readonly address: string
  principalId: string | null
  span: Span
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export type FrontDoorDeps = {
  readonly publicUrl: URL
  /** Values of `Host` that are answered besides that of `publicUrl`: names with their port, unless it is the default. */
  readonly allowedHosts: readonly string[]
  /** How many proxies of ours are in front, each of which adds to `X-Forwarded-For`. */
  readonly trustedProxies: number
  readonly mcpEndpoint: Pick<McpEndpoint, 'handle'>
  /** Whatever is no MCP endpoint. */
  readonly koaCallback: Handler
  readonly metrics: HttpMetrics
  /** Told of every call at an MCP endpoint when it is over. */
  readonly callEnded: CallTally['add']
  readonly log: Logger
  /** Milliseconds of any origin. */
  readonly now: () => number
}

export type FrontDoor = {
  readonly handle: Handler
  /** How many requests are being answered, open streams included. */
  inFlight(): number
  /** How many have come so far. */
  received(): number
  /** From now on every answer that begins ends its connection, and says so: the next request of that client goes to another process. */
  retire(): void
  /** From now on connections end with what is under way on them, whatever was promised when that began. */
  finish(): void
  /** Resolves once nothing is being answered. */
  idle(): Promise<void>
}

type Refusal = { readonly status: number; readonly code: ErrorCode; readonly detail: string }

const mcpPath = /^(?:\/api\/v1)?\/connectors\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\/mcp$/
const records = new WeakMap<IncomingMessage, RequestRecord>()

const maxPaths = 1000
/** Paths of MCP endpoints and the connector in each: found again for less than it takes to read one. */
const mcpPaths = new Map<string, string>()

function connectorIn(path: string): string | undefined {
  const known = mcpPaths.get(path)
  if (known !== undefined) return known
  const connectorId = mcpPath.exec(path)?.[1]
  if (connectorId === undefined) return undefined
  if (mcpPaths.size >= maxPaths) mcpPaths.clear()
  mcpPaths.set(path, connectorId)
  return connectorId
}

/** The record of a request that came through the front door to Koa. */
export function requestRecord(request: IncomingMessage): RequestRecord {
  return (
    records.get(request) ?? {
      requestId: randomUUID(),
      principalId: null,
      address: clientAddress(request, 0),
      span: noSpan,
    }
  )
}

/**
 * Looks at each request before anyone else does: is it well-formed, is it for us, whose is it to answer. Numbers it,
 * counts it, and logs one line when it is over.
 */
export function createFrontDoor(deps: FrontDoorDeps): FrontDoor {
  const { mcpEndpoint, koaCallback, metrics, now } = deps
  const recordEnd = createRecordEnd(deps)
  const hosts = new Set([deps.publicUrl.host, ...deps.allowedHosts].map((host) => host.toLowerCase()))
  const waiting: (() => void)[] = []
  let inFlight = 0
  let received = 0
  let isRetired = false
  let isFinishing = false

  function watch(request: IncomingMessage, response: ServerResponse, record: McpCall): void {
    const { path } = record
    const surface = surfaceOf(record)
    const startedAt = now()
    inFlight += 1
    received += 1
    metrics.began(surface)
    response.on('close', () => {
      inFlight -= 1
      // not before: who was promised the connection may be sending the next request on it
      if (isFinishing) request.socket.destroySoon()
      if (inFlight === 0) for (const resolve of waiting.splice(0)) resolve()
      recordEnd(record, {
        surface,
        method: request.method ?? '',
        path: record.connectorId === '' ? loggablePath(path) : path,
        status: response.headersSent ? response.statusCode : null,
        durationMs: Math.round(now() - startedAt),
        isComplete: response.writableFinished,
      })
      record.leave?.()
      record.relaying?.callerGone()
    })
    // A socket that breaks under a write is not news: `close` follows.
    response.on('error', ignore)
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? ''
    const queryAt = url.indexOf('?')
    const path = queryAt === -1 ? url : url.slice(0, queryAt)
    const connectorId = connectorIn(path)
    const record = newCall(randomUUID(), path, connectorId ?? '')
    watch(request, response, record)
    // A stream that was opened with GET ends when we do: whoever reads it must not send the next request on its connection.
    if (isRetired || (connectorId !== undefined && request.method === 'GET')) response.shouldKeepAlive = false
    const refusal = refusalOf(request, url, hosts)
    if (refusal !== null) refuse(response, record.requestId, refusal)
    else if (connectorId !== undefined) mcpEndpoint.handle(request, response, record)
    else {
      records.set(request, Object.assign(record, { address: clientAddress(request, deps.trustedProxies) }))
      response.setHeader('x-request-id', record.requestId)
      koaCallback(request, response)
    }
  }

  return {
    handle,
    inFlight: () => inFlight,
    received: () => received,
    retire: () => {
      isRetired = true
    },
    finish: () => {
      isFinishing = true
    },
    idle: () => (inFlight === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  }
}

function ignore(): void {}

/** Why a request is turned away at the door (PX-12, PX-14); null when it is not. */
function refusalOf(request: IncomingMessage, url: string, hosts: ReadonlySet<string>): Refusal | null {
  const { method, rawHeaders } = request
  let host: string | null = null
  let hasBody = false
  let upgrade: string | null = null
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    // Only names of these lengths are of interest here.
    if (name.length !== 4 && name.length !== 7 && name.length !== 14 && name.length !== 17) continue
    const value = rawHeaders[index + 1] ?? ''
    switch (name.toLowerCase()) {
      case 'host':
        if (host !== null) return badRequest('The Host header stands twice.')
        host = value
        break
      case 'upgrade':
        upgrade = value
        break
      case 'content-length':
        if (value !== '0') hasBody = true
        break
      case 'transfer-encoding':
        // Node hands over requests with other codings before it finds out that it cannot read them.
        if (value.toLowerCase() !== 'chunked') return badRequest('The only transfer coding here is chunked.')
        hasBody = true
        break
    }
  }
  if (!url.startsWith('/')) return badRequest('The request target must be a path.')
  if (host === null || !hosts.has(host.toLowerCase())) {
    return { status: 421, code: 'host_not_allowed', detail: 'This server is not known by that host name.' }
  }
  if (method === 'TRACE' || method === 'CONNECT') {
    return { status: 405, code: 'method_not_allowed', detail: 'This method is not supported.' }
  }
  // Clients that offer HTTP/2 with an ordinary request are content to be answered in HTTP/1.1 (RFC 9110 section 7.8).
  if (upgrade !== null && upgrade.toLowerCase() !== 'h2c') return badRequest('This server does not switch protocols.')
  if (hasBody && (method === 'GET' || method === 'HEAD')) return badRequest(`${method} requests have no body here.`)
  return null
}

function badRequest(detail: string): Refusal {
  return { status: 400, code: 'invalid_request', detail }
}

/** The connection ends with it: after such a request nobody can be sure where the next one begins. */
function refuse(response: ServerResponse, requestId: string, { status, code, detail }: Refusal): void {
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail, code, request_id: requestId }
  const body = JSON.stringify(problem)
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    connection: 'close',
  })
  response.end(body)
}

function surfaceOf({ connectorId, path }: McpCall): Surface {
  if (connectorId !== '') return 'mcp'
  return path.startsWith('/api/') ? 'api' : 'page'
}

const maxLoggedPath = 256
/** Longer than any id: the secret in a connect link. */
const secretSegment = /[\w%-]{40,}/g

/** A path as it may be logged: bounded, and without the secret that a connect link is. */
function loggablePath(path: string): string {
  return path
    .slice(0, 4 * maxLoggedPath)
    .replace(secretSegment, '[redacted]')
    .slice(0, maxLoggedPath)
}
