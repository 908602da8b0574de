import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from '../log/logger.ts'

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
const stopMs = 10_000

/** Runs the worker as a process of its own, and starts it again should it end by itself. */
export function startWorkerProcess({ env, log, logFile }: Options): { stop(): Promise<void> } {
  // from the sources the worker is TypeScript as well, and inherits the loader
  const program = fileURLToPath(new URL(`../../workers/main${extname(import.meta.url)}`, import.meta.url))
  let isStopping = false
  let restart: NodeJS.Timeout | undefined
  let restartMs = firstRestartMs
  let child = start()

  function start(): ChildProcess {
    const output = openSync(logFile, 'a', 0o600)
    const started = fork(program, [], { env: { ...env }, stdio: ['ignore', output, output, 'ipc'] })
    closeSync(output)
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
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), stopMs)
      await exited
      clearTimeout(force)
    },
  }
}
