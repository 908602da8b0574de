import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { AppError, isAppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken } from '../kernel/secret.ts'
import { addressBlock } from './address-block.ts'

/** An attempt to say who one is. */
export type KeyAttempt<Result> = {
  readonly credential: string
  /** Of who tries. */
  readonly address: () => string
  readonly verify: () => Result | Promise<Result>
}

/**
 * Verifies a credential, unless its address has tried too many. At once when `verify` knows at once.
 *
 * @throws AppError `rate_limited`, with `meta.retryAfterSeconds`; and what `verify` throws
 */
export type WrongKeys = <Result>(attempt: KeyAttempt<Result>) => Result | Promise<Result>

const windowSeconds = 60
const maxHeld = 10_000

/**
 * Keeps an address from trying one key after the other (AP-13). The same wrong key again counts once: a client that does not
 * know that its key is over is no attack, and should not keep its neighbours out. Signed tokens neither count nor wait: a
 * signature cannot be guessed, and hosts with many users share few addresses. Counted in each process, so there is nothing that
 * could be down: this holds when everything else does not.
 *
 * @param perMinute how many different wrong keys; 0: any number
 */
export function createWrongKeys({
  perMinute,
  clock,
}: {
  readonly perMinute: number
  readonly clock: Clock
}): WrongKeys {
  const seen = new RateLimiterMemory({ keyPrefix: 'seen', points: 1, duration: windowSeconds })
  const counted = new RateLimiterMemory({ keyPrefix: 'counted', points: perMinute, duration: windowSeconds })
  const heldUntil = new Map<string, number>()

  function check(block: string): void {
    const until = heldUntil.get(block)
    if (until === undefined) return
    const leftMs = until - clock.now().getTime()
    if (leftMs <= 0) heldUntil.delete(block)
    else throw tooMany(leftMs)
  }

  async function note(block: string, credential: string): Promise<void> {
    if ((await consume(seen, `${block} ${hashToken(credential)}`)) !== null) return
    const leftMs = await consume(counted, block)
    if (leftMs === null) return
    heldUntil.set(block, clock.now().getTime() + leftMs)
    const [eldest] = heldUntil.keys()
    if (heldUntil.size > maxHeld && eldest !== undefined) heldUntil.delete(eldest)
  }

  return ({ credential, address, verify }) => {
    if (perMinute === 0) return verify()
    if (heldUntil.size > 0 && !isSigned(credential)) check(addressBlock(address()))
    const found = verify()
    if (!(found instanceof Promise)) return found
    return found.catch(async (error: unknown) => {
      if (isAppError(error, 'unauthenticated') && !isSigned(credential)) {
        await note(addressBlock(address()), credential)
      }
      throw error
    })
  }
}

/** JSON Web Signature, compact serialisation (RFC 7515 section 7.1). */
const isSigned = (credential: string) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential)

/** Null while there is room, else the milliseconds until there is. */
async function consume(limiter: RateLimiterMemory, key: string): Promise<number | null> {
  try {
    await limiter.consume(key)
    return null
  } catch (error) {
    if (!(error instanceof RateLimiterRes)) throw error
    return error.msBeforeNext
  }
}

function tooMany(leftMs: number): AppError {
  return new AppError('rate_limited', 'too many wrong keys from this address', {
    publicDetail: 'Too many wrong keys came from your address. Wait as long as Retry-After says, then try again.',
    meta: { retryAfterSeconds: Math.ceil(leftMs / 1000) },
  })
}
