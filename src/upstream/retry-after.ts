const minimumMs = 1000
const maximumMs = 3_600_000

/**
 * Reads `Retry-After` (RFC 9110 section 10.2.3): seconds or a date, held between one second and one hour.
 *
 * @returns milliseconds from `now`; undefined when absent or unreadable
 */
export function parseRetryAfter(value: string | null, now: Date): number | undefined {
  if (value === null) return undefined
  const trimmed = value.trim()
  const isDate = /^[A-Za-z]{3,9},? /.test(trimmed)
  const ms = /^\d{1,10}$/.test(trimmed)
    ? Number(trimmed) * 1000
    : isDate
      ? Date.parse(trimmed) - now.getTime()
      : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, minimumMs), maximumMs)
}
