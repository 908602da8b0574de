import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A load balancer: hands each new connection to the next of `ports`, whatever is sent on it. */
export async function startBalancer(ports: readonly number[]): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>()
  let turn = 0
  const server = createServer((incoming) => {
    const outgoing = connect(ports[turn++ % ports.length] ?? 0, '127.0.0.1')
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        incoming.destroy()
        outgoing.destroy()
      })
    }
    incoming.pipe(outgoing).pipe(incoming)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
