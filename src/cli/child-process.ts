import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

export type ChildOptions = {
  /** Of the program, relative to this folder and without its ending: from the sources it is TypeScript as well. */
  readonly program: string
  readonly args?: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where its output goes. */
  readonly logFile: string
}

const stopMs = 10_000

/** Starts one of our programs as a child that learns when we are gone. */
export function startChild({ program, args = [], env, logFile }: ChildOptions): ChildProcess {
  const output = openSync(logFile, 'a', 0o600)
  const path = fileURLToPath(new URL(program + extname(import.meta.url), import.meta.url))
  const child = fork(path, [...args], { env: { ...env }, stdio: ['ignore', output, output, 'ipc'] })
  closeSync(output)
  return child
}

/** Asks a child to end, waits for it, and ends it by force when it takes too long. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), stopMs)
  await exited
  clearTimeout(force)
}
