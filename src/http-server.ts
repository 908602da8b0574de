import { createServer, type Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { App } from './app.ts'
import type { Settings } from './config/settings.ts'
import type { Timings } from './config/timings.ts'
import { serverOptions } from './http/front-door.ts'
import { PortError } from './port-error.ts'

export type HttpServer = {
  /** The port that is listened on. */
  readonly port: number
  /**
   * Ends in order: readiness goes, load balancers get time to notice, nothing new is taken, requests under way are
   * finished, event streams end at an event boundary.
   */
  close(): Promise<void>
}

/**
 * Serves the API, the pages and the MCP endpoints.
 *
 * @throws PortError
 */
export async function startHttpServer(app: App, settings: Settings, timings: Timings['shutdown']): Promise<HttpServer> {
  let isShuttingDown = false
  const { frontDoor, mcpEndpoint } = app.createHttp(() => isShuttingDown)
  const server = createServer(serverOptions, frontDoor.handle)
  await listen(server, settings)
  const address = server.address()

  return {
    port: typeof address === 'object' && address !== null ? address.port : settings.PORT,
    async close() {
      isShuttingDown = true
      await delay(timings.noticeMs)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      mcpEndpoint.retireStreams()
      server.closeIdleConnections()
      await Promise.race([frontDoor.idle(), delay(timings.drainMs)])
      server.closeAllConnections()
      await closed
      mcpEndpoint.stop()
    },
  }
}

function listen(server: Server, { PORT, HOST }: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new PortError({ setting: 'PORT', port: PORT, host: HOST }, error)))
    server.listen(PORT, HOST, resolve)
  })
}
