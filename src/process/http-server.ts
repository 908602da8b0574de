import { createServer, type Server } from 'node:http'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { App } from '../app.ts'
import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import { type FrontDoor, serverOptions } from '../http/front-door.ts'
import type { ReadinessReport } from '../http/readiness-report.ts'
import { letCallsDieYoung } from './let-calls-die-young.ts'
import { PortError } from './port-error.ts'

export type HttpServer = {
  /** The port that is listened on. */
  readonly port: number
  /** What `/readyz` answers. */
  readonly readiness: () => Promise<ReadinessReport>
  /**
   * Ends in order (REL-19): readiness goes, and whoever still comes is told to open a new connection next time; balancers
   * get time to notice; once nothing comes any more nothing new is taken, idle connections are closed, and streams that
   * only listen end at their next event boundary; requests under way are finished. What is still open when that time is up
   * ends, streams at an event boundary.
   */
  close(): Promise<void>
}

/** How long streams that are still open at the end have to come to an event boundary. */
const lastEventMs = 2000

/**
 * Serves the API, the pages and the MCP endpoints.
 *
 * @throws PortError
 */
export async function startHttpServer(app: App, settings: Settings, timings: Timings['shutdown']): Promise<HttpServer> {
  letCallsDieYoung()
  let isShuttingDown = false
  const readiness = app.createReadinessCheck(() => isShuttingDown)
  const { frontDoor, mcpEndpoint, peerSocket } = app.createHttp(readiness)
  const open = () => createServer({ ...serverOptions, maxHeaderSize: settings.HEADER_LIMIT }, frontDoor.handle)
  const server = open()
  const peerServer = peerSocket === null ? null : open().listen({ path: peerSocket, exclusive: true })
  await listen(server, settings)
  const address = server.address()

  return {
    port: typeof address === 'object' && address !== null ? address.port : settings.PORT,
    readiness,
    async close() {
      isShuttingDown = true
      frontDoor.retire()
      await delay(timings.noticeMs)
      await untilQuiet(frontDoor, timings.noticeMs / 5)
      frontDoor.finish()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      peerServer?.close()
      mcpEndpoint.retireStreams('listening')
      app.endEventStreams()
      const cutMs = Math.min(lastEventMs, timings.drainMs / 2)
      await within(timings.drainMs - cutMs, frontDoor.idle())
      mcpEndpoint.retireStreams('all')
      await within(cutMs, frontDoor.idle())
      for (const each of [server, peerServer]) each?.closeAllConnections()
      await closed
      mcpEndpoint.stop()
    },
  }
}

/** So many times as long as the quiet has to last is waited for it. */
const quietTries = 3

/**
 * Waits until nothing has come for `ms` milliseconds: a request that arrives on a connection just when that is closed is lost, and
 * clients do not repeat a POST. Each that comes by now takes its connection away, so they become fewer. With traffic that
 * does not end it waits a few times as long. Not for a moment only: a client or balancer that stalls looks like quiet, and sends
 * all that it owes afterwards, on connections that had been idle.
 */
async function untilQuiet({ received }: Pick<FrontDoor, 'received'>, ms: number): Promise<void> {
  for (let tried = 0, before = -1; tried < quietTries && before !== received(); tried += 1) {
    before = received()
    await delay(ms)
    // what a busy process has not read yet is read in between: timers come before sockets
    await nextTurn()
  }
}

/** Waits for something, but no longer than `ms` milliseconds. */
async function within(ms: number, awaited: Promise<void>): Promise<void> {
  const limit = new AbortController()
  await Promise.race([awaited, delay(ms, undefined, { signal: limit.signal }).catch(() => {})])
  limit.abort()
}

function listen(server: Server, { PORT, HOST }: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new PortError({ setting: 'PORT', port: PORT, host: HOST }, error)))
    server.listen(PORT, HOST, resolve)
  })
}
