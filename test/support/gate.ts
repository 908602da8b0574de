export type Gate = {
  /** Waits in front of the gate. */
  pass(): Promise<void>
  /** How many have come to it so far. */
  readonly arrivals: number
  /** Lets through whoever waits and whoever comes. */
  open(): void
}

/** Holds whoever comes until it is opened: for doing something while something else is half done. */
export function createGate(): Gate {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  let arrivals = 0
  return {
    async pass() {
      arrivals += 1
      await opened
    },
    get arrivals() {
      return arrivals
    },
    open: () => open(),
  }
}
