import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { AppError } from '../kernel/app-error.ts'

type Options = {
  /** How often in the window; 0: any number. */
  readonly points: number
  readonly seconds: number
  /** What who has to wait reads; default: the standing sentence of the code. */
  readonly publicDetail?: string
}

export type RateLimit = {
  /** Counts one more. @throws AppError `rate_limited`, with `meta.retryAfterSeconds` */
  take(key: string): Promise<void>
}

/** So many in a window of time for each key. Each process counts for itself, so that counting needs nothing that could be down. */
export function createRateLimit({ points, seconds, publicDetail }: Options): RateLimit {
  const limiter = points === 0 ? null : new RateLimiterMemory({ points, duration: seconds })
  return {
    async take(key) {
      try {
        await limiter?.consume(key)
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        throw new AppError('rate_limited', 'too many in a short time', {
          meta: { retryAfterSeconds: Math.max(1, Math.ceil(error.msBeforeNext / 1000)), points, seconds },
          ...(publicDetail === undefined ? {} : { publicDetail }),
        })
      }
    },
  }
}
