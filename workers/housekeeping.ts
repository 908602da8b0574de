import type { createKeepHouse } from '../src/audit/keep-house.ts'
import type { Logger } from '../src/log/logger.ts'

type Deps = {
  readonly keepHouse: ReturnType<typeof createKeepHouse>
  readonly log: Logger
  readonly intervalMs: number
}

/** Deletes what is over, at intervals; the first time one interval after the start. */
export function startHousekeeping({ keepHouse, log, intervalMs }: Deps): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined
  let isStopping = false
  let running: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    try {
      const removed = await keepHouse()
      if (Object.keys(removed).length > 0) log.info({ removed }, 'deleted what is over')
    } catch (err) {
      // the next run finds the same rows
      log.warn({ err }, 'housekeeping failed')
    }
    schedule()
  }
  function schedule(): void {
    if (isStopping) return
    timer = setTimeout(() => {
      running = run()
    }, intervalMs)
  }
  schedule()

  return {
    async stop() {
      isStopping = true
      clearTimeout(timer)
      await running
    },
  }
}
