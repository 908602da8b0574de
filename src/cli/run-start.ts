import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { createLogger } from '../log/logger.ts'
import { runProcess } from '../process/run-process.ts'
import { readUsableSettings } from '../process/usable-settings.ts'
import { banner } from './banner.ts'
import { startLocalStack } from './local-stack.ts'

/**
 * Runs everything on this machine in one process tree until it is stopped. Logs go to a file in the data folder, so that the
 * terminal shows what a person needs.
 *
 * @throws SettingsError
 */
export async function runStart(): Promise<void> {
  const settings = readUsableSettings(process.env)
  mkdirSync(settings.DATA_DIR, { recursive: true, mode: 0o700 })
  const logFile = join(settings.DATA_DIR, 'patchbay.log')
  const log = createLogger(
    settings.LOG_LEVEL,
    pino.destination({ dest: logFile, mode: 0o600 }),
    settings.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined,
  )
  const say = (line: string) => console.log(line)
  // a terminal that is closed, or a pager that is left, must not end what runs
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  await runProcess(log, async (control) => {
    const stack = await startLocalStack({ settings, env: process.env, log, logFile, say, ...control })
    say(banner({ ...stack, isTerminal: process.stdout.isTTY === true, logFile }))
    return {
      async close() {
        say('\nStopping ...')
        await stack.close()
        say('Stopped.')
      },
    }
  })
}
