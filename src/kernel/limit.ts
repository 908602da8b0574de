export type Limit = {
  /** Waits for a place. Whoever came first is first. */
  enter(): Promise<void>
  leave(): void
}

/** So many at a time, in this process. */
export function createLimit(places: number): Limit {
  let free = places
  const waiting: (() => void)[] = []
  return {
    async enter() {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
    },
    leave() {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}
