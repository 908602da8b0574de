import type { ChildProcess } from 'node:child_process'
import type { Logger } from '../log/logger.ts'
import { startChild, stopChild } from './child-process.ts'

type Options = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  /** Where the worker's log lines go. */
  readonly logFile: string
}

const firstRestartMs = 500
const lastRestartMs = 30_000
/** A worker that ran for so long was well: the next one is started soon again. */
const wellAfterMs = 60_000

/** Runs the worker as a process of its own, and starts it again should it end by itself. */
export function startWorkerProcess({ env, log, logFile }: Options): { stop(): Promise<void> } {
  let isStopping = false
  let restart: NodeJS.Timeout | undefined
  let restartMs = firstRestartMs
  let child = start()

  function start(): ChildProcess {
    const started = startChild({ program: '../../workers/main', env, logFile })
    const startedAt = performance.now()
    started.once('exit', (code, signal) => {
      if (isStopping) return
      if (performance.now() - startedAt > wellAfterMs) restartMs = firstRestartMs
      log.error({ code, signal, restartMs }, 'worker ended; starting it again')
      restart = setTimeout(() => {
        child = start()
      }, restartMs)
      restartMs = Math.min(restartMs * 2, lastRestartMs)
    })
    started.once('error', (err) => log.error({ err }, 'worker could not be started'))
    return started
  }

  return {
    async stop() {
      isStopping = true
      clearTimeout(restart)
      await stopChild(child)
    },
  }
}
