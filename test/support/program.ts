import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { packageRoot } from '../../src/config/package-root.ts'

export type Program = {
  readonly child: ChildProcessByStdio<Writable, Readable, null>
  /** The next line on standard output. */
  readLine(): Promise<string>
  /** Sends a signal and waits until the program has ended. */
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Runs one of `test/support/programs` as a process of its own. */
export function runProgram(name: string, args: readonly string[] = []): Program {
  const root = packageRoot()
  const file = join(root, 'test', 'support', 'programs', `${name}.ts`)
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    readLine: async () => {
      const line = await lines.next()
      if (line.done === true) throw new Error(`${name} ended without another line`)
      return line.value
    },
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    },
  }
}
