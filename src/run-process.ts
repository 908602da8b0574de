import { SettingsError } from './config/settings.ts'
import type { Logger } from './log/logger.ts'

type Stoppable = { close(): Promise<void> }

const forcedExitMs = 40_000

/**
 * Runs one of our processes: starts it, stops it in order at SIGTERM, SIGINT or the end of its parent, and turns what
 * nobody caught into a log line and an orderly end. A second signal ends it at once.
 *
 * @param start makes the process's work; what it throws is printed for people, without a stack
 */
export async function runProcess(log: Logger, start: () => Promise<Stoppable>): Promise<void> {
  let running: Stoppable | undefined
  let isStopping = false

  const stop = (exitCode: number) => {
    if (isStopping) process.exit(1)
    isStopping = true
    setTimeout(() => process.exit(1), forcedExitMs).unref()
    void (running?.close() ?? Promise.resolve()).then(
      () => process.exit(exitCode),
      (err: unknown) => {
        log.error({ err }, 'shutdown failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => stop(0))
  process.on('SIGINT', () => stop(0))
  // the parent was killed: nobody would stop us
  process.on('disconnect', () => stop(0))
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (err: unknown) => {
      log.fatal({ err }, event)
      stop(1)
    })
  }

  try {
    running = await start()
  } catch (error) {
    process.stderr.write(`${describeStartFailure(error)}\n`)
    process.exit(1)
  }
  if (isStopping) await running.close()
}

/** Why a process could not start, for the person who started it. */
export function describeStartFailure(error: unknown): string {
  if (error instanceof SettingsError) return error.message
  return error instanceof Error ? error.message : 'The start failed.'
}
