import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Polls until `condition` holds, in place of sleeping for a guessed time.
 *
 * @param what completes the sentence "waited N ms for ..." when it never does
 * @param timeoutMs milliseconds
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await sleep(10)
  }
}
