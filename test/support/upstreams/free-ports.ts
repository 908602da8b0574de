import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Ports of 127.0.0.1 that were free a moment ago, all different: for servers that must be told their port beforehand. Anything
 * else should listen on port 0.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('a listening server has no address')
    return address.port
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
