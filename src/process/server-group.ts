import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { App } from '../app.ts'
import type { Settings } from '../config/settings.ts'
import { newId } from '../kernel/id.ts'
import type { Logger } from '../log/logger.ts'
import type { ServerGroup } from '../proxy/own-place.ts'
import type { HttpServer } from './http-server.ts'

type Options = {
  readonly app: Pick<App, 'createReadinessCheck'>
  readonly settings: Pick<Settings, 'PROCESSES' | 'PORT'>
  readonly log: Logger
}

const firstRestartMs = 500
const lastRestartMs = 30_000
/** A process that ran for so long was well: the next one is started soon again. */
const wellAfterMs = 60_000

/**
 * Runs `PROCESSES` processes of the program of this one, which share a port: connections are handed out in turn, and each
 * process then serves its own without this one. One that ends by itself is started again.
 *
 * @throws Error when one ends before it serves; its own output says why
 */
export async function startServerGroup({ app, settings, log }: Options): Promise<HttpServer> {
  const folder = await mkdtemp(join(tmpdir(), 'patchbay-'))
  const running = new Set<Worker>()
  let isStopping = false
  let restartMs = firstRestartMs
  cluster.setupPrimary({ args: [newId(), folder] })

  /** Resolves with its port once it serves. */
  function start(): Promise<number> {
    const worker = cluster.fork()
    const startedAt = performance.now()
    running.add(worker)
    return new Promise((resolve, reject) => {
      worker.once('listening', ({ port }) => resolve(port))
      worker.once('exit', (code, signal) => {
        running.delete(worker)
        reject(new Error('A server process ended before it served. Its own message says why.'))
        if (isStopping || !isServing) return
        if (performance.now() - startedAt > wellAfterMs) restartMs = firstRestartMs
        log.error({ code, signal, restartMs }, 'a server process ended; starting another')
        setTimeout(restart, restartMs).unref()
        restartMs = Math.min(restartMs * 2, lastRestartMs)
      })
    })
  }
  function restart(): void {
    // its end is seen to above
    if (!isStopping) start().catch(() => {})
  }
  async function close(): Promise<void> {
    isStopping = true
    await Promise.all(
      [...running].map((worker) => {
        const ended = once(worker, 'exit')
        worker.process.kill('SIGTERM')
        return ended
      }),
    )
    await rm(folder, { recursive: true })
  }

  let isServing = false
  try {
    const [port = settings.PORT] = await Promise.all(Array.from({ length: settings.PROCESSES }, start))
    isServing = true
    return { port, readiness: app.createReadinessCheck(() => isStopping), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What the process that runs this one told it. */
export function groupOfThisProcess(): ServerGroup {
  const [, , server = '', folder = ''] = process.argv
  return { server, folder }
}
