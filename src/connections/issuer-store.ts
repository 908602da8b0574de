/** Some of an issuer's slots, held by one holder until they are given back or lapse. */
export type SlotHold = { readonly issuer: string; readonly holder: string }

export type SlotWish = SlotHold & {
  /** The first slot that will do: 0 for whoever waits, 1 for what runs in the background. */
  readonly from: number
  /** How many are wanted at most. */
  readonly most: number
}

export type SlotAnswer = {
  /** How many were had. */
  readonly slots: number
  /** For how long the issuer is to be left alone, milliseconds; 0: it is not paused. */
  readonly pausedMs: number
  /** Failures in a row so far. */
  readonly failures: number
}

export type IssuerPause = { readonly pausedMs: number; readonly failures: number }

/** When the breaker opens, and for how long. */
export type BreakerTimings = {
  /** Failures in a row after which an issuer is left alone. */
  readonly threshold: number
  /** The first pause; each further one is twice as long. Milliseconds. */
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

export type RejectionLimits = {
  /** Over this many rejections within the window, and over the share, grants are kept. */
  readonly count: number
  /** Of the grants from the issuer, or of the installation, in [0, 1]. */
  readonly share: number
  readonly windowMs: number
  /** How long grants are kept after a rejection that was too much. */
  readonly holdMs: number
}

/**
 * What all processes together know of an authorization server: slots, pauses, failures. Rows in PostgreSQL, judged by its
 * clock alone, so that the bounds hold over all processes and heal by themselves when one dies.
 */
export type IssuerStore = {
  /**
   * Takes free slots for `holdMs`. None of an issuer that is paused; of one whose breaker is open, slot 0 only, so that one
   * request finds out.
   */
  takeSlots(wish: SlotWish, holdMs: number): Promise<SlotAnswer>
  /**
   * Prolongs slots that are still held.
   *
   * @returns the holders of those, with the failures of their issuers
   */
  renewSlots(holds: readonly SlotHold[], holdMs: number): Promise<{ holder: string; failures: number }[]>
  releaseSlots(hold: SlotHold): Promise<void>
  /** Counts a failure; too many in a row pause the issuer, each time for longer. `spread` in [0, 1) blurs how long. */
  recordFailure(issuer: string, spread: number): Promise<IssuerPause>
  /** The issuer answers: closes the breaker. */
  recordSuccess(issuer: string): Promise<void>
  /** Leaves the issuer alone for so long, since it asked for that. */
  pause(issuer: string, ms: number): Promise<void>
  /**
   * Counts a grant that was rejected, for its issuer and for the installation.
   *
   * @returns true when that are so many that it is kept: something else than the grants is broken then
   */
  countRejection(issuer: string, limits: RejectionLimits): Promise<boolean>
}
