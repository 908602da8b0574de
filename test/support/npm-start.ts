import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { packageRoot } from '../../src/config/package-root.ts'
import { settingTable } from '../../src/config/settings.ts'
import { until } from './until.ts'

export type NpmStartOptions = {
  /** Settings; everything else of the environment is handed on. */
  readonly settings: Readonly<Record<string, string>>
  /** The checkout. Default: this one. */
  readonly folder?: string
  /** True: on a terminal of its own, made by `script` of util-linux. */
  readonly isOnTerminal?: boolean
}

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** An `npm start` as a person runs it: in a process group of its own, which Ctrl-C reaches as a whole. */
export type NpmStart = {
  /** npm's own process, which leads the group. */
  readonly pid: number
  /** What it printed so far, on both streams; a terminal's line ends are plain ones here. */
  output(): string
  /** Milliseconds from the command to the last line of what it prints when it runs. Throws with the output if it ends instead. */
  ready(timeoutMs?: number): Promise<number>
  readonly ended: Promise<Ended>
  /** What Ctrl-C does, on a terminal or without one. */
  interrupt(): void
  /** Signals npm only, as `kill <pid>` does. */
  kill(signal: NodeJS.Signals): void
  /** Signals every process of the group. */
  killGroup(signal: NodeJS.Signals): void
}

const lastLine = 'Stop with Ctrl-C.'

/** The environment of somebody who has set nothing of ours, and does not stand inside an npm script. */
export function plainEnvironment(): Record<string, string> {
  const isOurs = (name: string) => name in settingTable || /^(npm_(lifecycle|package)_|INIT_CWD$|NODE_ENV$)/.test(name)
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || isOurs(name) ? [] : [[name, value] as const],
    ),
  )
}

export function npmStart({ settings, folder = packageRoot(), isOnTerminal = false }: NpmStartOptions): NpmStart {
  const startedAt = performance.now()
  // `exec`: a shell that waits for npm would die of the terminal's Ctrl-C itself, and npm's exit code with it
  const [command, args] = isOnTerminal ? ['script', ['-qec', 'exec npm start', '/dev/null']] : ['npm', ['start']]
  const child: ChildProcess = spawn(command, args, {
    cwd: folder,
    detached: true,
    env: { ...plainEnvironment(), ...settings },
    stdio: [isOnTerminal ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} could not be started`)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text.replaceAll('\r\n', '\n')
    })
  }
  let hasEnded = false
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    hasEnded = true
    return { code, signal }
  })
  return {
    pid,
    output: () => output,
    async ready(timeoutMs = 60_000) {
      await until('npm start', () => hasEnded || output.includes(lastLine), timeoutMs).catch((cause: unknown) => {
        throw new Error(`npm start is not ready:\n${output}`, { cause })
      })
      if (!output.includes(lastLine)) throw new Error(`npm start ended:\n${output}`)
      return performance.now() - startedAt
    },
    ended,
    interrupt() {
      if (isOnTerminal) child.stdin?.write('\x03')
      else process.kill(-pid, 'SIGINT')
    },
    kill: (signal) => void process.kill(pid, signal),
    killGroup: (signal) => void process.kill(-pid, signal),
  }
}

/** The lines for the shell, from the output of a start. */
export function walkthroughOf(output: string): string {
  const begin = output.indexOf('\n', output.indexOf('From here to a tool call'))
  return output.slice(begin, output.indexOf(lastLine)).trim()
}

export type RunningProcess = { readonly pid: number; readonly commandLine: string }

/** Processes that have `text` in their command line, their environment or their working folder. Linux only. */
export function processesWith(text: string): RunningProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    try {
      const read = (file: string) => readFileSync(`/proc/${name}/${file}`, 'utf8').replaceAll('\0', ' ')
      const commandLine = read('cmdline').trim()
      // a zombie has no command line; it has ended
      if (commandLine === '') return []
      const facts = [commandLine, read('environ'), readlinkSync(`/proc/${name}/cwd`)]
      return facts.some((fact) => fact.includes(text)) ? [{ pid, commandLine }] : []
    } catch {
      return []
    }
  })
}
