import { addMs } from '../kernel/clock.ts'

const minMarginMs = 60_000
const marginShare = 0.2
const jitterShare = 0.25
/** Some servers let a grant lapse that nobody renews for some days: the refresh token would be gone before the access token. */
const keepAliveMs = 86_400_000
const keepAliveJitterShare = 0.1
/** How long an access token is taken to live when its server does not say: for the schedule only. */
const assumedLifetimeMs = 3_600_000

/** When a token runs out, counted from the moment its request began; null when the server did not say. */
export function expiryOf(requestedAt: Date, expiresInSeconds: number | undefined): Date | null {
  return expiresInSeconds === undefined ? null : addMs(requestedAt, expiresInSeconds * 1000)
}

/**
 * When to refresh: a margin before expiry (a fifth of the lifetime, at least a minute, at most half the lifetime), spread
 * by a quarter of the margin so that tokens of one moment do not come due together. Never past expiry, and at least once a
 * day, which keeps grants alive that lapse when idle.
 *
 * @param random a number in [0, 1)
 */
export function refreshTime(requestedAt: Date, expiresAt: Date | null, random: number): Date {
  const lifetimeMs = expiresAt === null ? assumedLifetimeMs : Math.max(expiresAt.getTime() - requestedAt.getTime(), 0)
  const marginMs = Math.min(Math.max(minMarginMs, lifetimeMs * marginShare), lifetimeMs / 2)
  const jitterMs = marginMs * jitterShare * (2 * random - 1)
  const aliveMs = keepAliveMs * (1 - keepAliveJitterShare * random)
  return addMs(requestedAt, Math.min(lifetimeMs - marginMs + jitterMs, aliveMs))
}

const firstRetryMs = 2000
const maxRetryMs = 900_000

/**
 * How long to wait after `failures` failed attempts in a row (1 or more): 2 s, doubling, ±50 %, at most 15 minutes. The longest
 * waits are spread as well, so that what failed together does not come back together.
 *
 * @param random a number in [0, 1)
 */
export function retryDelayMs(failures: number, random: number): number {
  const meanMs = Math.min(firstRetryMs * 2 ** (Math.min(failures, 20) - 1), maxRetryMs / 1.5)
  return meanMs * (0.5 + random)
}
