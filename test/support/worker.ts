import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import type { Patchbay } from './patchbay.ts'
import { until } from './until.ts'

export type WorkerProcess = {
  /** Its log so far, one parsed line each. */
  readonly log: readonly Record<string, unknown>[]
  /**
   * Ends it in order (SIGTERM).
   *
   * @returns its exit code
   */
  stop(): Promise<number | null>
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>
}

/** The worker as a process of its own, `workers/main.ts`, on the database of `patchbay`. */
export async function startWorker(
  patchbay: Patchbay,
  env: Readonly<Record<string, string>> = {},
): Promise<WorkerProcess> {
  const child = fork(join(packageRoot(), 'workers', 'main.ts'), [], {
    execArgv: ['--import', 'tsx'],
    env: { PATH: process.env.PATH ?? '', ...patchbay.env, SWEEP_INTERVAL: '0.2', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const log: Record<string, unknown>[] = []
  let output = ''
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) log.push(JSON.parse(line))
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until('the worker', () => hasEnded() || log.some(({ msg }) => msg === 'worker runs'), 60_000)
  if (hasEnded()) throw new Error(`the worker did not start: ${output}${JSON.stringify(log)}`)

  return {
    log,
    async stop() {
      if (hasEnded()) return child.exitCode
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      return child.exitCode
    },
    async kill() {
      if (hasEnded()) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
