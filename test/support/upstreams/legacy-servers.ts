import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { launchProcess } from './launch-process.ts'
import type { Upstream } from './upstream.ts'

/** MCP's reference server in its HTTP+SSE mode (MCP 2024-11-05), as a process. */
export async function startEverythingOverSse(): Promise<Upstream> {
  const { ports, output, close } = await launchProcess({
    name: 'server-everything sse',
    script: createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/transports/sse.js'),
    env: { PORT: '0' },
  })
  return { url: `http://localhost:${ports[0]}/sse`, output, close }
}

export type LegacyServer = {
  readonly url: string
  /** Of every request that opened a session or posted to one. */
  readonly authorizations: readonly (string | undefined)[]
  /** How many sessions are open. */
  sessions(): number
  /** Breaks every connection, as a restart would. */
  breakAll(): void
  close(): Promise<void>
}

/** A small server whose tools show what a transport must carry: answers, progress, questions to the client. */
function createToolServer(): McpServer {
  const server = new McpServer({ name: 'legacy', version: '1.0.0' })
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }))
  server.registerTool('count', { inputSchema: { n: z.number() } }, async ({ n }, { _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken
    for (let progress = 1; progress <= n && progressToken !== undefined; progress++) {
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: n } })
    }
    return { content: [{ type: 'text', text: `counted to ${n}` }] }
  })
  server.registerTool('ask', {}, async () => {
    const { content } = await server.server.createMessage({
      messages: [{ role: 'user', content: { type: 'text', text: 'What?' } }],
      maxTokens: 5,
    })
    return { content: [{ type: 'text', text: JSON.stringify(content) }] }
  })
  return server
}

/** HTTP+SSE on the SDK 1.x, for whoever sends `token`, or for anybody. */
export async function startSseServer({ token }: { readonly token?: string } = {}): Promise<LegacyServer> {
  const transports = new Map<string, SSEServerTransport>()
  const authorizations: (string | undefined)[] = []
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    authorizations.push(request.headers.authorization)
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    } else if (request.method === 'GET' && pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response)
      transports.set(transport.sessionId, transport)
      response.on('close', () => transports.delete(transport.sessionId))
      await createToolServer().connect(transport)
    } else if (request.method === 'POST' && pathname === '/messages') {
      const transport = transports.get(searchParams.get('sessionId') ?? '')
      if (transport === undefined) response.writeHead(404).end()
      else await transport.handlePostMessage(request, response)
    } else response.writeHead(pathname === '/sse' ? 405 : 404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/sse`,
    authorizations,
    sessions: () => transports.size,
    breakAll: () => server.closeAllConnections(),
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** MCP over WebSocket, for whoever sends `token`, or for anybody. */
export async function startWebSocketServer({ token }: { readonly token?: string } = {}): Promise<LegacyServer> {
  const authorizations: (string | undefined)[] = []
  const http = createServer((_request, response) => response.writeHead(426).end())
  const server = new WebSocketServer({
    server: http,
    handleProtocols: () => 'mcp',
    verifyClient: ({ req }: { req: IncomingMessage }) => {
      authorizations.push(req.headers.authorization)
      return token === undefined || req.headers.authorization === `Bearer ${token}`
    },
  })
  server.on('connection', (socket) => void createToolServer().connect(overSocket(socket)))
  await once(http.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://localhost:${(http.address() as AddressInfo).port}/ws`,
    authorizations,
    sessions: () => server.clients.size,
    breakAll() {
      for (const socket of server.clients) socket.terminate()
    },
    async close() {
      for (const socket of server.clients) socket.terminate()
      server.close()
      http.close()
    },
  }
}

function overSocket(socket: WebSocket): Transport {
  const transport: Transport = {
    async start() {
      socket.on('message', (data) => transport.onmessage?.(JSONRPCMessageSchema.parse(JSON.parse(String(data)))))
      socket.on('close', () => transport.onclose?.())
    },
    async send(message) {
      socket.send(JSON.stringify(message))
    },
    async close() {
      socket.close()
    },
  }
  return transport
}
