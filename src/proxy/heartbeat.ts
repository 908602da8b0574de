import type { ProxyLimits } from './limits.ts'

/** Something that is under way and told of each beat. */
export type Beating = {
  /** Its place in the list; the heartbeat's own. */
  slot: number
  beat(): void
}

const beatsPerKeepAlive = 3

/** The limits of a call, counted in beats. What they measure comes out up to one beat longer. */
export type Beats = {
  readonly answer: number
  readonly keepAlive: number
  readonly stall: number
  readonly idle: number
  readonly life: number
}

/**
 * One timer for everything that is under way: keep-alive comments, silent upstreams, the age of streams. A timer for
 * each call would cost more than all of these checks.
 */
export type Heartbeat<Item extends Beating> = {
  readonly beats: Beats
  add(beating: Item): void
  remove(beating: Item): void
  /** Tells everything that is under way. Who is told may remove itself. */
  visit(tell: (beating: Item) => void): void
  stop(): void
}

export function createHeartbeat<Item extends Beating>(limits: ProxyLimits): Heartbeat<Item> {
  const intervalMs = limits.keepAliveMs / beatsPerKeepAlive
  const count = (ms: number) => Math.ceil(ms / intervalMs)
  // Not a Set: one that sees much coming and going is rehashed often, and each discarded table keeps its last entries
  // and the next table alive until a full collection. That cost a fifth of the throughput.
  const beatings: Item[] = []
  const timer = setInterval(() => visit((beating) => beating.beat()), intervalMs)
  timer.unref()

  /** From the end, so that who removes itself is replaced by one that was visited already. */
  function visit(tell: (beating: Item) => void): void {
    for (let index = beatings.length - 1; index >= 0; index -= 1) {
      const beating = beatings[index]
      if (beating !== undefined) tell(beating)
    }
  }

  return {
    beats: {
      answer: count(limits.answerTimeoutMs),
      keepAlive: beatsPerKeepAlive,
      stall: count(limits.stallMs),
      idle: count(limits.idleMs),
      life: count(limits.streamLifeMs),
    },
    add: (beating) => {
      beating.slot = beatings.push(beating) - 1
    },
    remove: (beating) => {
      const last = beatings.at(-1)
      if (last === undefined || beatings[beating.slot] !== beating) return
      last.slot = beating.slot
      beatings[beating.slot] = last
      beatings.pop()
    },
    visit,
    stop: () => clearInterval(timer),
  }
}
