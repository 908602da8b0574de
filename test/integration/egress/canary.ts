import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { certificate, privateKey } from './tls-fixture.ts'

/** A listener that must not be reached: it counts who connects and what they send. */
export type Canary = { readonly port: number; connections(): number; bytes(): number; close(): Promise<void> }

/** Listens on one port of each address. */
export async function startCanaries(addresses: readonly string[]): Promise<Canary> {
  const servers: TcpServer[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  let bytes = 0
  let port = 0
  for (const address of addresses) {
    const server = createTcpServer((socket) => {
      connections += 1
      sockets.add(socket)
      socket.on('data', (chunk) => {
        bytes += chunk.length
        socket.destroy()
      })
      socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, address, resolve)
    })
    port = (server.address() as AddressInfo).port
    servers.push(server)
  }
  return {
    port,
    connections: () => connections,
    bytes: () => bytes,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

export type TestServer = {
  readonly port: number
  readonly origin: string
  readonly requests: readonly IncomingMessage[]
  /** Sockets that were ever opened to it. */
  sockets(): number
  close(): Promise<void>
}

/** A scripted HTTP server on loopback. */
export function startServer(handler: RequestListener, address = '127.0.0.1'): Promise<TestServer> {
  return listen((listener) => createServer(listener), handler, address, 'http')
}

/** The same behind TLS, for the name `pinned.test`. */
export function startTlsServer(handler: RequestListener): Promise<TestServer> {
  const options = { key: privateKey, cert: certificate }
  return listen((listener) => createTlsServer(options, listener), handler, '127.0.0.1', 'https')
}

async function listen(
  create: (listener: RequestListener) => Server,
  handler: RequestListener,
  address: string,
  scheme: string,
): Promise<TestServer> {
  const requests: IncomingMessage[] = []
  let sockets = 0
  const server = create((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  // Longer than any test: a socket that is closed was closed by the other side.
  server.keepAliveTimeout = 60_000
  server.on('connection', () => {
    sockets += 1
  })
  await new Promise<void>((resolve) => {
    server.listen(0, address, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`,
    requests,
    sockets: () => sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
