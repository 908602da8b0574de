export type Turns = {
  /** Runs when it is its turn; throws what `late` makes when that takes longer than `waitMs`. */
  inTurn<Result>(run: () => Promise<Result>): Promise<Result>
  isIdle(): boolean
}

type Options = { readonly count: number; readonly waitMs: number; readonly late: () => Error }

/** A few at a time, in the order in which they came. */
export function createTurns({ count, waitMs, late }: Options): Turns {
  let running = 0
  const waiting: (() => void)[] = []

  const take = async (): Promise<void> => {
    if (running < count) {
      running += 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(begin), 1)
        reject(late())
      }, waitMs)
      waiting.push(begin)
    })
  }
  /** Hands the place on, or leaves it empty. */
  const give = (): void => {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }

  return {
    async inTurn(run) {
      await take()
      try {
        return await run()
      } finally {
        give()
      }
    },
    isIdle: () => running === 0 && waiting.length === 0,
  }
}
