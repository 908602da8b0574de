import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken, type Secret } from '../kernel/secret.ts'
import { isApiKeyShaped } from './api-key.ts'
import type { Caller, VerifyCaller } from './caller.ts'
import type { AccessStore } from './store.ts'

type Deps = {
  readonly access: Pick<AccessStore, 'findKeyHolder'>
  readonly clock: Clock
  /** The operator's key, which may look like anything. */
  readonly adminApiKey: Secret | undefined
  /** For tokens of the organisation's issuer; null: there is none. */
  readonly verifyToken: VerifyCaller | null
}

/** JSON Web Signature, compact serialisation (RFC 7515 section 7.1). */
const jwtPattern = /^[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * Tells whose credential that is: an API key, or a token of the organisation's. What looks like neither is turned away
 * before the database is asked (TK-08).
 */
export function createVerifyCaller({ access, clock, adminApiKey, verifyToken }: Deps): VerifyCaller {
  const adminKeyHash = adminApiKey === undefined ? null : hashToken(adminApiKey.reveal())

  return async (credential) => {
    const keyHash = hashToken(credential)
    let holder: Caller | null = null
    if (isApiKeyShaped(credential) || keyHash === adminKeyHash) {
      const found = await access.findKeyHolder(keyHash, clock.now())
      if (found?.isOver === false) return found.caller
      holder = found?.caller ?? null
    } else if (verifyToken !== null && jwtPattern.test(credential)) return verifyToken(credential)
    const refusal = new AppError('unauthenticated', 'unknown, revoked or expired key', {
      meta: { reason: 'unknown' },
      publicDetail: 'This API key is unknown, revoked or expired.',
    })
    if (holder !== null) holders.set(refusal, holder)
    throw refusal
  }
}

const holders = new WeakMap<AppError, Caller>()

/** Whose key was refused, where it was somebody's once: for the audit log, and never for an answer. */
export function holderOfRefused(error: unknown): Caller | null {
  return error instanceof AppError ? (holders.get(error) ?? null) : null
}
