import type { ProxyLimits } from './limits.ts'

/** Something that is under way and told of each beat. */
export type Beating = {
  /** Its place in the list; the heartbeat's own. */
  slot: number
  beat(): void
  /** The process wants to end: finish as soon as nothing is cut in two. */
  retire(): void
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
export type Heartbeat = {
  readonly beats: Beats
  add(beating: Beating): void
  remove(beating: Beating): void
  retireAll(): void
  stop(): void
}

export function createHeartbeat(limits: ProxyLimits): Heartbeat {
  const intervalMs = limits.keepAliveMs / beatsPerKeepAlive
  const count = (ms: number) => Math.ceil(ms / intervalMs)
  // Not a Set: one that sees much coming and going is rehashed often, and each discarded table keeps its last entries
  // and the next table alive until a full collection. That cost a fifth of the throughput.
  const beatings: Beating[] = []
  const timer = setInterval(() => visit((beating) => beating.beat()), intervalMs)
  timer.unref()

  /** From the end, so that who removes itself is replaced by one that was visited already. */
  function visit(tell: (beating: Beating) => void): void {
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
    retireAll: () => visit((beating) => beating.retire()),
    stop: () => clearInterval(timer),
  }
}
