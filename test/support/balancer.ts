import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Balancer = { readonly port: number; close(): void }

export type BalancerOptions = {
  /** Default: a free one. */
  readonly port?: number
  /** Whether new connections may go to the server on this port. Asked again and again, as balancers ask `/readyz`. */
  readonly isReady?: (port: number) => Promise<boolean>
}

const checkMs = 250

/** A load balancer: hands each new connection to the next of `ports` that is ready, whatever is sent on it. */
export async function startBalancer(
  ports: readonly number[],
  { port = 0, isReady }: BalancerOptions = {},
): Promise<Balancer> {
  const sockets = new Set<Socket>()
  const ready = new Set(ports)
  const ending = new AbortController()
  let turn = 0

  /** The next in turn that is ready; where none is, the next in turn, which then says so itself. */
  const nextPort = (): number => {
    const order = ports.map((_, index) => ports[(turn + index) % ports.length] ?? 0)
    const chosen = order.find((candidate) => ready.has(candidate)) ?? order[0] ?? 0
    turn += order.indexOf(chosen) + 1
    return chosen
  }
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const server = createServer((incoming) => {
    keep(incoming)
    const outgoing = connect(nextPort(), '127.0.0.1')
    keep(outgoing)
    incoming.on('close', () => outgoing.destroy())
    // what came before the end is still on its way to the client
    outgoing.on('close', (hadError) => (hadError ? incoming.destroy() : incoming.end()))
    incoming.pipe(outgoing).pipe(incoming)
  })
  const check = async (candidate: number): Promise<void> => {
    while (!ending.signal.aborted) {
      if (await isReady?.(candidate).catch(() => false)) ready.add(candidate)
      else ready.delete(candidate)
      await sleep(checkMs, undefined, { signal: ending.signal }).catch(() => {})
    }
  }
  await once(server.listen(port, '127.0.0.1'), 'listening')
  if (isReady !== undefined) for (const candidate of ports) void check(candidate)
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      ending.abort()
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
