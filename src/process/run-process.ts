import { isAppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'

export type Stoppable = { close(): Promise<void> }

/** What a process's work is told while it starts and runs. */
export type ProcessControl = {
  /** Aborted as soon as the process is to end. A start that takes time looks at it. */
  readonly signal: AbortSignal
  /** Ends the process in order, with exit code 1, since something that it cannot live without is gone. */
  fail(reason: string): void
}

const orderlyMs = 40_000
const startMs = 10_000
const orphanMs = 5_000
/** A signal reaches a process from its sender and once more from npm: within this time it is one and the same. */
const sameSignalMs = 500

/**
 * Runs one of our processes: starts it, stops it in order at SIGTERM, SIGINT, SIGHUP or the end of its parent, and turns what
 * nobody caught into a log line and an orderly end. A second Ctrl-C or SIGTERM ends it at once. Exit code: 0 when it was
 * asked to end, 1 when something went wrong, was ended at once, or took too long.
 *
 * @param start makes the process's work; what it throws is printed for people, without a stack
 */
export async function runProcess(log: Logger, start: (control: ProcessControl) => Promise<Stoppable>): Promise<void> {
  const ending = new AbortController()
  let running: Stoppable | undefined
  let exitCode = 0
  let firstSignalAt = 0

  const closeAndExit = async (work: Stoppable): Promise<never> => {
    try {
      await work.close()
    } catch (err) {
      log.error({ err }, 'shutdown failed')
      exitCode = 1
    }
    process.exit(exitCode)
  }
  const end = (code: number, withinMs: number): void => {
    exitCode = Math.max(exitCode, code)
    setTimeout(() => process.exit(1), withinMs).unref()
    if (ending.signal.aborted) return
    ending.abort()
    // a start under way notices the signal, and is followed by the rest of this function
    if (running !== undefined) void closeAndExit(running)
  }
  const orderly = (): number => (running === undefined ? startMs : orderlyMs)

  /** True for the first of its kind, and for its echo. */
  const isFirst = (): boolean => {
    if (firstSignalAt === 0) firstSignalAt = performance.now()
    return performance.now() - firstSignalAt <= sameSignalMs
  }

  process.on('SIGTERM', () => {
    // whoever ends a group of processes reaches us as well, besides our parent, which then tells us to end
    if (!isFirst() && !process.connected) process.exit(1)
    end(0, orderly())
  })
  process.on('SIGHUP', () => end(0, orderly()))
  process.on('SIGINT', () => {
    // the terminal tells a parent of ours as well, which stops us when it is our turn
    if (process.connected) return
    if (!isFirst()) process.exit(1)
    end(0, orderly())
  })
  // the parent was killed: nobody would stop us, and what we work with may be gone
  process.on('disconnect', () => end(0, orphanMs))
  // it was killed before anything of ours was loaded, so that nobody heard of it
  if (process.send !== undefined && !process.connected) end(0, orphanMs)
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (err: unknown) => {
      log.fatal({ err }, event)
      end(1, orderly())
    })
  }
  const fail = (reason: string): void => {
    log.fatal(reason)
    process.stderr.write(`${reason}\n`)
    end(1, orderly())
  }

  try {
    running = await start({ signal: ending.signal, fail })
  } catch (error) {
    if (!ending.signal.aborted) {
      log.fatal({ err: error }, 'start failed')
      process.stderr.write(`${describeStartFailure(error)}\n`)
      exitCode = 1
    }
    process.exit(exitCode)
  }
  if (ending.signal.aborted) await closeAndExit(running)
}

/** Why a process or a command could not do its work, for the person who started it. */
export function describeStartFailure(error: unknown): string {
  if (isAppError(error)) return error.publicDetail ?? error.message
  return error instanceof Error ? error.message : 'It failed, and nothing says why.'
}
