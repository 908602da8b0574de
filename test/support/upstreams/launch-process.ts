import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export type LaunchOptions = {
  /** Named in failures. */
  readonly name: string
  /** Path of the script. */
  readonly script: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Modules loaded before it, as for `node --import` in the project's folder. */
  readonly preload?: readonly string[]
  /** How many servers it must have listening before it counts as started. */
  readonly servers?: number
}

export type LaunchedProcess = {
  /** The ports it listens on, on 127.0.0.1, in the order in which they came up. */
  readonly ports: readonly number[]
  /** What it wrote so far, both streams: put it into failures. */
  output(): string
  close(): Promise<void>
}

const startTimeoutMs = 20_000
const stopTimeoutMs = 3_000
const report = z.object({ listeningOn: z.number() })

/**
 * Runs a server as a process of its own, bound to loopback.
 *
 * @throws with the end of its output when it exits or is silent for too long
 */
export async function launchProcess(options: LaunchOptions): Promise<LaunchedProcess> {
  const { name, script, args = [], env = {}, preload = [], servers = 1 } = options
  const loopback = new URL('./bind-loopback.mjs', import.meta.url).href
  const child = fork(script, [...args], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    execArgv: [loopback, ...preload].flatMap((module) => ['--import', module]),
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'test', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })

  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-20_000)
    })
  }

  const ports: number[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not up after ${startTimeoutMs} ms`)), startTimeoutMs)
      child.on('message', (message) => {
        const parsed = report.safeParse(message)
        if (parsed.success) ports.push(parsed.data.listeningOn)
        if (ports.length < servers) return
        clearTimeout(timer)
        resolve()
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        reject(new Error(`ended with ${signal ?? code}`))
      })
    })
  } catch (cause) {
    await stop(child)
    throw new Error(`${name} did not start: ${cause instanceof Error ? cause.message : cause}\n${output}`, { cause })
  }

  // Otherwise a forgotten one would keep the test run from ending.
  child.unref()
  child.channel?.unref()
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref()
  return { ports, output: () => output, close: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.ref()
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}
