import { once } from 'node:events'
import { z } from 'zod'
import type { Settings } from '../config/settings.ts'
import type { Logger } from '../log/logger.ts'
import { startChild, stopChild } from './child-process.ts'

type Options = {
  readonly settings: Pick<Settings, 'SANDBOX_PORT' | 'SANDBOX_TOKEN_TTL'>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Logger
  readonly logFile: string
}

const readyMessage = z.object({ url: z.string() })

/**
 * Runs the sandbox as a process of its own: it is a stranger to Patchbay, and its libraries take as long to load as all of
 * ours.
 *
 * @throws Error when it ends before it is ready
 */
export async function startSandboxProcess({ settings, env, log, logFile }: Options) {
  const args = [String(settings.SANDBOX_PORT), String(settings.SANDBOX_TOKEN_TTL)]
  const child = startChild({ program: './sandbox-main', args, env, logFile })
  let isStopping = false
  const ended = once(child, 'exit').then(([code, signal]) => {
    if (!isStopping) log.error({ code, signal }, 'sandbox ended')
    throw new Error(
      `The sandbox could not be started. Its last words are in ${logFile}; without it: SANDBOX_PORT=0 npm start`,
    )
  })
  ended.catch(() => {})
  const [message] = await Promise.race([once(child, 'message'), ended])
  return {
    url: readyMessage.parse(message).url,
    stop: () => {
      isStopping = true
      return stopChild(child)
    },
  }
}
