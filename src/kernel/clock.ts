/** Where the time comes from. Everything that asks for the time is given one of these, so tests can turn it. */
export type Clock = { now(): Date }

export const systemClock: Clock = { now: () => new Date(Date.now()) }

/** Milliseconds since 1970, where a `Date` for each would cost more than the rest of the work. */
export const epochMs = (): number => Date.now()

/** The time of a clock in milliseconds since 1970, for where every call looks: without a `Date` each, unless somebody turns it. */
export function msOf(clock: Clock): () => number {
  return clock === systemClock ? epochMs : () => clock.now().getTime()
}

/** A date `ms` milliseconds after `date` (before it, when negative). */
export function addMs(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms)
}
