import { addMs, type Clock } from '../../src/kernel/clock.ts'

export type TestClock = Clock & {
  /** Moves the time on, by milliseconds. */
  advance(ms: number): void
}

/** A clock that runs with the system's, and can be put forward. */
export function createTestClock(): TestClock {
  let aheadMs = 0
  return {
    now: () => addMs(new Date(), aheadMs),
    advance(ms) {
      aheadMs += ms
    },
  }
}
