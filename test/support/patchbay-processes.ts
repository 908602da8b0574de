import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import type { Patchbay } from './patchbay.ts'
import { until } from './until.ts'
import { freePorts } from './upstreams/free-ports.ts'

export type PatchbayProcess = {
  readonly pid: number
  readonly startedAt: number
  /** When it ended; null while it runs. Milliseconds, as `startedAt`. */
  endedAt(): number | null
  /** Of a server. */
  readonly url: string
  /** The connections whose refresh has halted at its fault point. */
  readonly halted: ReadonlySet<string>
  /** Stops it in the middle of whatever it does, as a machine that sleeps would. */
  suspend(): void
  resume(): void
  /** Lets a halted refresh go on. */
  goOn(connectionId: string): void
  /** @returns its exit code; null after SIGKILL */
  end(signal: NodeJS.Signals): Promise<number | null>
}

export type ProcessOptions = {
  readonly role: 'server' | 'worker'
  readonly env?: Readonly<Record<string, string>>
}

/** Others start beside it, on few cores. */
const startMs = 100_000

/** A server or a worker as a process of its own, on the database of `patchbay`. See programs/patchbay-process.ts. */
export async function startPatchbayProcess(
  patchbay: Pick<Patchbay, 'env'>,
  { role, env = {} }: ProcessOptions,
): Promise<PatchbayProcess> {
  const [port = 0] = await freePorts(1)
  const program = join(packageRoot(), 'test', 'support', 'programs', 'patchbay-process.ts')
  const child = fork(program, [], {
    execArgv: ['--import', 'tsx'],
    env: {
      PATH: process.env.PATH ?? '',
      ...patchbay.env,
      PORT: String(port),
      ROLE: role,
      SWEEP_INTERVAL: '0.2',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const halted = new Set<string>()
  let isRunning = false
  let endedAt: number | null = null
  child.on('message', (message: { running?: true; halted?: string }) => {
    if (message.running === true) isRunning = true
    if (message.halted !== undefined) halted.add(message.halted)
  })
  child.once('exit', () => {
    endedAt = Date.now()
  })
  try {
    await until(`the ${role}`, () => isRunning || hasEnded(child), startMs)
  } catch (error) {
    // nobody else knows of it
    child.kill('SIGKILL')
    throw error
  }
  if (hasEnded(child)) throw new Error(`the ${role} did not start`)
  return {
    pid: child.pid ?? 0,
    startedAt: Date.now(),
    endedAt: () => endedAt,
    url: `http://localhost:${port}`,
    halted,
    suspend: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    goOn: (connectionId) => void child.send({ goOn: connectionId }),
    async end(signal) {
      if (hasEnded(child)) return child.exitCode
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
      return child.exitCode
    },
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null
