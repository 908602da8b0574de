import { once } from 'node:events'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

export type BearerAdder = { readonly url: string; close(): Promise<void> }

/**
 * The suite cannot send credentials. This stands between it and a server, adds them, and otherwise passes every byte on
 * as it comes; in Host and Origin only the port is rewritten, so that the server judges the names that the suite sent.
 */
export async function startBearerAdder(target: string, token: string): Promise<BearerAdder> {
  const { port: targetPort, pathname } = new URL(target)
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo
    const { host = '', origin } = request.headers
    const rewritten = (value: string) => value.replace(`:${port}`, `:${targetPort}`)
    const outbound = sendRequest(
      {
        host: '127.0.0.1',
        port: targetPort,
        path: pathname,
        method: request.method,
        headers: {
          ...request.headers,
          host: rewritten(host),
          ...(origin === undefined ? {} : { origin: rewritten(origin) }),
          authorization: `Bearer ${token}`,
        },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        response.flushHeaders()
        answer.pipe(response)
      },
    )
    outbound.on('error', () => response.destroy())
    response.on('close', () => outbound.destroy())
    request.pipe(outbound)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}${pathname}`,
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
