import type { Logger } from './logger.ts'

/** Work that nobody waits for, but that a shutdown waits for. */
export type Background = {
  /** Starts `work`; a failure is logged under `name`. */
  run(name: string, work: () => Promise<void>): void
  /** Resolves when everything that was started has ended. */
  drain(): Promise<void>
}

export function createBackground(log: Logger): Background {
  const running = new Set<Promise<void>>()
  return {
    run(name, work) {
      const task: Promise<void> = work()
        .catch((error: unknown) => log.warn({ err: error, task: name }, 'background task failed'))
        .finally(() => running.delete(task))
      running.add(task)
    },
    async drain() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
