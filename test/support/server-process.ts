import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import type { Patchbay } from './patchbay.ts'
import { until } from './until.ts'
import { freePorts } from './upstreams/free-ports.ts'

export type ServerProcess = {
  readonly url: string
  readonly child: ChildProcess
  /** Its log so far, one parsed line each. */
  readonly log: readonly Record<string, unknown>[]
  /** Ends it at once: for tests that are not about its end. */
  kill(): Promise<void>
}

type Options = {
  readonly env?: Readonly<Record<string, string>>
  /** A shell's words before the command, for example `ulimit -n 100 &&`. */
  readonly shellPrefix?: string
}

/** The server as a process of its own, `src/server.ts`, on the database of `patchbay`. */
export async function startServerProcess(
  patchbay: Patchbay,
  { env = {}, shellPrefix = '' }: Options = {},
): Promise<ServerProcess> {
  const [port = 0] = await freePorts(1)
  const command = `${shellPrefix} exec "$0" --import tsx "$1"`
  const child = spawn('sh', ['-c', command, process.execPath, join(packageRoot(), 'src', 'server.ts')], {
    cwd: packageRoot(),
    env: { PATH: process.env.PATH ?? '', ...patchbay.env, PORT: String(port), MIGRATE: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: Record<string, unknown>[] = []
  let complaints = ''
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) log.push(JSON.parse(line))
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until('the server', () => hasEnded() || log.some(({ msg }) => msg === 'serving'), 60_000).catch((error) => {
    child.kill('SIGKILL')
    throw error
  })
  if (hasEnded()) throw new Error(`the server did not start: ${complaints}${JSON.stringify(log)}`)
  return {
    url: `http://localhost:${port}`,
    child,
    log,
    async kill() {
      if (hasEnded()) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
