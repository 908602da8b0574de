import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { certificate, privateKey } from '../egress/tls-fixture.ts'

/** What one of the attacker's MCP servers says besides the usual. Each value is the address that we are to be led to. */
export type Trap = {
  /** Serves everybody, with no authorization. */
  readonly isOpen?: boolean
  readonly resourceMetadata?: string
  readonly authorizationServer?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** Answers with a redirect there. */
  readonly redirects?: Readonly<Partial<Record<'mcp' | 'resource' | 'metadata', string>>>
}

export type Attacker = {
  readonly origin: string
  readonly port: number
  /** Puts up an MCP server, and gives its URL. */
  lay(name: string, trap: Trap): string
  close(): Promise<void>
}

const resourcePath = '/.well-known/oauth-protected-resource'
const metadataPath = '/.well-known/oauth-authorization-server'

type Options = {
  /** The name that its certificate is for; left out: plain http. */
  readonly tlsName?: string
  /** Default: any. */
  readonly port?: number
}

/** A server that we are allowed to talk to, with any number of MCP servers and authorization servers on it. */
export async function startAttacker(address: string, { tlsName, port = 0 }: Options = {}): Promise<Attacker> {
  const traps = new Map<string, Trap>()
  let origin = ''
  const listener: RequestListener = (request, response) => {
    response.setHeader('connection', 'close')
    void answer(request, response)
  }
  const server: Server =
    tlsName === undefined ? createServer(listener) : createTlsServer({ key: privateKey, cert: certificate }, listener)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, address, resolve)
  })
  const bound = (server.address() as AddressInfo).port
  origin = tlsName === undefined ? `http://${address}:${bound}` : `https://${tlsName}:${bound}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', origin).pathname
    const [, name = '', what = ''] = /\/([\w-]+)(?:\/(mcp|token|register|revoke))?$/.exec(path) ?? []
    const trap = traps.get(name)
    if (trap === undefined) return send(response, 404)
    const base = `${origin}/${name}`
    if (path.startsWith(resourcePath)) {
      const issuer = trap.authorizationServer ?? base
      return sendOr(response, trap.redirects?.resource, { resource: `${base}/mcp`, authorization_servers: [issuer] })
    }
    if (path.startsWith(metadataPath)) {
      return sendOr(response, trap.redirects?.metadata, {
        issuer: base,
        authorization_endpoint: `${base}/authorize`,
        token_endpoint: `${base}/token`,
        registration_endpoint: `${base}/register`,
        revocation_endpoint: `${base}/revoke`,
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none'],
        ...trap.metadata,
      })
    }
    if (what === 'register') return send(response, 201, { client_id: 'client' })
    if (what === 'token') {
      await text(request)
      return send(response, 200, { access_token: 'access', token_type: 'Bearer', expires_in: 3600, refresh_token: 'r' })
    }
    if (what !== 'mcp') return send(response, 404)
    if (trap.redirects?.mcp !== undefined) return redirect(response, 307, trap.redirects.mcp)
    const isWelcome = trap.isOpen === true || request.headers.authorization !== undefined
    if (isWelcome) return answerRpc(request, response)
    const pointer = trap.resourceMetadata ?? `${origin}${resourcePath}/${name}/mcp`
    response.setHeader('www-authenticate', `Bearer resource_metadata="${ascii(pointer)}"`)
    return send(response, 401)
  }

  return {
    origin,
    port: bound,
    lay(name, trap) {
      traps.set(name, trap)
      return `${origin}/${name}/mcp`
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send(response: ServerResponse, status: number, body?: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))
}

function sendOr(response: ServerResponse, location: string | undefined, body: object): void {
  if (location === undefined) send(response, 200, body)
  else redirect(response, 302, location)
}

function redirect(response: ServerResponse, status: number, location: string): void {
  response.writeHead(status, { location: ascii(location) }).end()
}

/** Headers hold ASCII; a percent-encoded host means the same. */
function ascii(url: string): string {
  return url.replaceAll(/[^\u0020-\u007e]+/g, encodeURIComponent)
}

async function answerRpc(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return send(response, 405)
  const { id, method } = (await json(request)) as { id?: number; method: string }
  if (id === undefined) return send(response, 202)
  const serverInfo = { name: 'attacker', version: '1' }
  const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo }
  if (method === 'initialize') return send(response, 200, { jsonrpc: '2.0', id, result })
  return send(response, 200, { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
}
