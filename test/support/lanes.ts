import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findHelm } from './helm/find-helm.ts'

/** Programs that some tests need and that not every machine has. In CI all must be there. */
type Lane = 'redis' | 'chromium' | 'helm'

const programs: Record<Exclude<Lane, 'helm'>, readonly string[]> = {
  redis: ['redis-server'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
}

/** Where the reporter finds out why a test was skipped: on the test, or on a suite around it. */
const skippedLane = Symbol.for('patchbay.skipped-lane')

function findProgram(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function requireLane(context: Mocha.Context, lane: Lane): string {
  const found = lane === 'helm' ? findHelm() : findProgram(programs[lane])
  if (found !== undefined && found !== null) return found
  // In a hook, `runnable` is the hook and the skip is its suite's; in a test it is the test.
  const runnable = context.runnable()
  const isHook = 'type' in runnable && runnable.type === 'hook'
  const skipped = isHook ? runnable.parent : runnable
  Object.assign(skipped ?? runnable, { [skippedLane]: lane })
  return context.skip()
}

/** The path of `redis-server`, where there is one. */
export function findRedis(): string | undefined {
  return findProgram(programs.redis)
}

/**
 * The path of `redis-server`; skips the test, or in a hook the whole suite, where there is none.
 * Call it as `requireRedis(this)` from a `function`, not from an arrow.
 */
export function requireRedis(context: Mocha.Context): string {
  return requireLane(context, 'redis')
}

/** The path of a Chromium; skips like `requireRedis`. */
export function requireChromium(context: Mocha.Context): string {
  return requireLane(context, 'chromium')
}

/** The path of helm; skips like `requireRedis`. */
export function requireHelm(context: Mocha.Context): string {
  return requireLane(context, 'helm')
}
