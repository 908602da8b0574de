import { setTimeout as delay } from 'node:timers/promises'
import { addMs, type Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { IssuerGate, IssuerTicket } from './issuer-gate.ts'
import type { IssuerStore, RejectionLimits, SlotHold } from './issuer-store.ts'
import { outcomeRules } from './refresh-outcomes.ts'

export type IssuerTimings = {
  /** How long a slot lasts without a heartbeat. */
  readonly holdMs: number
  readonly heartbeatMs: number
  /** How long before its end by the database's clock a slot counts as over here. */
  readonly safetyMs: number
  /** How long somebody waits for a slot. */
  readonly waitMs: number
  readonly pollMs: number
}

/** Slots of one issuer, for a run of scheduled refreshes. */
export type Places = {
  /** How many refreshes may be under way at once. */
  readonly count: number
  /** False once the slots may be somebody else's, or the issuer is paused: nothing more may be sent then. */
  mayAsk(): boolean
  leave(): Promise<void>
}

export type IssuerKeeper = IssuerGate & {
  /** Takes up to `most` of the slots that are for scheduled refreshes; null: none is to be had now. */
  takePlaces(issuer: string, most: number): Promise<Places | null>
  /** Stops the heartbeat. Slots that are still held lapse by themselves. */
  close(): void
}

type Deps = {
  readonly issuers: IssuerStore
  readonly clock: Clock
  /** Milliseconds that only grow. */
  readonly monotonic: () => number
  readonly random: () => number
  readonly rejectionLimits: RejectionLimits
  readonly timings: IssuerTimings
}

/** What this process knows of an issuer that is not simply well: failures in a row, and until when it is left alone. */
type Trouble = { failures: number; pausedUntil: number }
type Held = SlotHold & { heldUntil: number }

const slotForWaiting = 0
const firstScheduledSlot = 1

/**
 * Sees to it that all processes together ask an authorization server no more at once than it has slots, and leave it alone
 * while it is in trouble or asks for it. The truth is in PostgreSQL; what is known here only saves asking: that an issuer is
 * well again is written down once, not after every refresh.
 */
export function createIssuerKeeper(deps: Deps): IssuerKeeper {
  const { issuers, clock, monotonic, random, rejectionLimits, timings } = deps
  const troubles = new Map<string, Trouble>()
  const held = new Map<string, Held>()
  /** The last in each issuer's line of those who wait for a slot. */
  const lines = new Map<string, Promise<unknown>>()
  let timer: NodeJS.Timeout | undefined

  function learn(issuer: string, { failures, pausedMs }: { failures: number; pausedMs?: number }): void {
    const pausedUntil = pausedMs === undefined ? (troubles.get(issuer)?.pausedUntil ?? 0) : monotonic() + pausedMs
    if (failures === 0 && pausedUntil <= monotonic()) troubles.delete(issuer)
    else troubles.set(issuer, { failures, pausedUntil })
  }

  async function take(issuer: string, from: number, most: number) {
    const sentAt = monotonic()
    const hold = { issuer, holder: newId() }
    const { slots, failures, pausedMs } = await issuers.takeSlots({ ...hold, from, most }, timings.holdMs)
    learn(issuer, { failures, pausedMs })
    if (slots === 0) return { slots, pausedMs, hold: null }
    const kept: Held = { ...hold, heldUntil: sentAt + timings.holdMs - timings.safetyMs }
    held.set(hold.holder, kept)
    timer ??= setInterval(() => void beat(), timings.heartbeatMs).unref()
    return { slots, pausedMs, hold: kept }
  }

  async function leave(hold: Held): Promise<void> {
    held.delete(hold.holder)
    if (held.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
    try {
      await issuers.releaseSlots(hold)
    } catch {
      // the database is out of reach: the slots lapse by themselves
    }
  }

  async function beat(): Promise<void> {
    const sentAt = monotonic()
    try {
      for (const { holder, failures } of await issuers.renewSlots([...held.values()], timings.holdMs)) {
        const hold = held.get(holder)
        if (hold === undefined) continue
        hold.heldUntil = sentAt + timings.holdMs - timings.safetyMs
        learn(hold.issuer, { failures })
      }
    } catch {
      // the horizons stay where they are, and pass
    }
  }

  /** One after the other, so that a crowd in this process asks the database like one. */
  function waitInLine(issuer: string): ReturnType<IssuerGate['enter']> {
    const deadline = monotonic() + timings.waitMs
    const turn = (lines.get(issuer) ?? Promise.resolve()).then(() => waitForSlot(issuer, deadline))
    const settled = turn
      .catch(() => {})
      .then(() => {
        if (lines.get(issuer) === settled) lines.delete(issuer)
      })
    lines.set(issuer, settled)
    return turn
  }

  async function waitForSlot(issuer: string, deadline: number): ReturnType<IssuerGate['enter']> {
    for (;;) {
      const { hold, pausedMs } = await take(issuer, slotForWaiting, 1)
      if (hold !== null) return { leave: () => leave(hold) } satisfies IssuerTicket
      if (pausedMs > 0) return { pausedUntil: addMs(clock.now(), pausedMs) }
      if (monotonic() > deadline) return { pausedUntil: addMs(clock.now(), timings.pollMs) }
      await delay(timings.pollMs * (0.5 + random()))
    }
  }

  return {
    enter: waitInLine,

    async takePlaces(issuer, most) {
      const { hold, slots } = await take(issuer, firstScheduledSlot, most)
      if (hold === null) return null
      return {
        count: slots,
        mayAsk: () => monotonic() < hold.heldUntil && (troubles.get(issuer)?.pausedUntil ?? 0) <= monotonic(),
        leave: () => leave(hold),
      }
    },

    async report(issuer, outcome, retryAfterMs) {
      if (outcome === 'internal') return
      const failures = troubles.get(issuer)?.failures ?? 0
      if (outcome === 'ok' || !outcomeRules[outcome].isIssuerTrouble) {
        if (failures === 0) return
        learn(issuer, { failures: 0 })
        await issuers.recordSuccess(issuer)
      } else if (retryAfterMs !== undefined) {
        learn(issuer, { failures, pausedMs: retryAfterMs })
        await issuers.pause(issuer, retryAfterMs)
      } else {
        learn(issuer, await issuers.recordFailure(issuer, random()))
      }
    },

    mayDisconnect: async (issuer) => !(await issuers.countRejection(issuer, rejectionLimits)),

    close() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
