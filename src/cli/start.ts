import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Command } from 'commander'
import { pino } from 'pino'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { runProcess } from '../run-process.ts'
import { banner } from './banner.ts'
import { startLocalStack } from './local-stack.ts'

/**
 * `patchbay start`, which is what `npm start` runs: everything on this machine in one process tree. Logs go to a file in the
 * data folder, so that the terminal shows what a person needs.
 */
export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run everything on this machine: database, API, worker and sandbox')
    .action(async () => {
      const settings = readSettings(process.env)
      mkdirSync(settings.DATA_DIR, { recursive: true, mode: 0o700 })
      const logFile = join(settings.DATA_DIR, 'patchbay.log')
      const log = createLogger(settings.LOG_LEVEL, pino.destination({ dest: logFile, mode: 0o600 }))
      const say = (line: string) => console.log(line)
      await runProcess(log, async () => {
        const stack = await startLocalStack({ settings, env: process.env, log, logFile, say })
        say(banner({ ...stack, isTerminal: process.stdout.isTTY === true, logFile: relative('.', logFile) || logFile }))
        return {
          async close() {
            say('\nStopping ...')
            await stack.close()
            say('Stopped.')
          },
        }
      })
    })
}
