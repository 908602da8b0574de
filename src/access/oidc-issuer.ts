import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'

type Deps = { readonly issuer: string; readonly fetch: GuardedFetch; readonly clock: Clock }

/** Discovery, section 4.2. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() })

const documentMs = 5000
const keysMaxAgeMs = 600_000
/** Between two looks for a key that is not known: forged tokens must not make us ask for each. */
const keysCooldownMs = 30_000
const metadataMaxAgeMs = 3_600_000
const failureMs = 5000

/**
 * The signing keys of the organisation's issuer, found by OpenID Connect Discovery and read through the egress guard. Read
 * again every ten minutes, and sooner (though at most twice a minute) when a token names a key that is not among them.
 *
 * @returns a key resolver for `jwtVerify`; it throws AppError `issuer_unavailable`
 */
export function createOidcKeys({ issuer, fetch, clock }: Deps): JWTVerifyGetKey {
  let found: { readonly keys: Promise<JWTVerifyGetKey>; readonly untilMs: number } | undefined

  async function discover(): Promise<JWTVerifyGetKey> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const response = await fetch(url, { totalMs: documentMs, headers: { accept: 'application/json' } })
    const metadata = metadataSchema.parse(await response.json())
    // section 4.3: exactly the one that was asked for
    if (metadata.issuer !== issuer) throw new Error('the metadata is of another issuer')
    return createRemoteJWKSet(new URL(metadata.jwks_uri), {
      cacheMaxAge: keysMaxAgeMs,
      cooldownDuration: keysCooldownMs,
      timeoutDuration: documentMs,
      [customFetch]: (target, { headers, signal }) => fetch(target, { headers, signal, totalMs: documentMs }),
    })
  }

  function known(): Promise<JWTVerifyGetKey> {
    const now = clock.now().getTime()
    if (found !== undefined && now < found.untilMs) return found.keys
    const keys = discover()
    const mine = { keys, untilMs: now + metadataMaxAgeMs }
    found = mine
    keys.catch(() => {
      if (found === mine) found = { keys, untilMs: now + failureMs }
    })
    return keys
  }

  return async (header, token) => {
    try {
      return await (await known())(header, token)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause
      throw new AppError('issuer_unavailable', "the issuer's keys cannot be read", { cause })
    }
  }
}
