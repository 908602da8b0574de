const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Between one attempt and the next: the schedule that Standard Webhooks suggests, 76 hours in all. */
const delays = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
] as const
/** Part of a delay by which it may come out longer, so that what failed together is not tried again together. */
const jitter = 0.1

/**
 * How long to wait after an attempt that failed.
 *
 * @param attempts made so far, 1 or more
 * @param retryAfterMs what the endpoint asked for; it can only make the wait longer
 * @returns milliseconds; null when that was the last attempt
 */
export function retryDelayMs(attempts: number, random: () => number, retryAfterMs = 0): number | null {
  const delay = delays[attempts - 1]
  return delay === undefined ? null : Math.max(delay * (1 + jitter * random()), retryAfterMs)
}
