import { createLocalJWKSet, decodeJwt, errors, type JWK, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { isId } from '../kernel/id.ts'
import { hashToken } from '../kernel/secret.ts'
import type { StoredKeys } from '../vault/stored-keys.ts'
import type { GrantStore, LiveGrant } from './grant.ts'

/** The claim that names the grant behind an access token. */
export const grantClaim = 'grant_id'

const leewaySeconds = 30
/** Longer than any that we issue (RFC 9068 section 2.2: `exp` is ours to choose). */
const maxLifetimeSeconds = 86_400
const maxRemembered = 10_000
const tokenForm = /^[\w-]{1,1024}\.[\w-]{1,6144}\.[\w-]{1,1024}$/
const keysInside = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'crit', 'b64']

const claimsSchema = z.object({
  sub: z.string(),
  aud: z.string(),
  iat: z.int(),
  exp: z.int(),
  client_id: z.string(),
  scope: z.string().default(''),
  [grantClaim]: z.string().refine(isId),
})
export type AccessTokenClaims = z.output<typeof claimsSchema>

type Deps = {
  readonly keys: Pick<StoredKeys, 'published'>
  readonly grants: Pick<GrantStore, 'findLive'>
  readonly publicUrl: URL
  readonly clock: Clock
}

/** True for a JWT that claims to be from our own authorization server; nothing of it is verified. */
export function claimsToBeOurs(publicUrl: URL, token: string): boolean {
  if (!tokenForm.test(token)) return false
  try {
    return decodeJwt(token).iss === publicUrl.origin
  } catch {
    return false
  }
}

/** An access token that is good: what it says, and the living grant behind it. */
export type ReadToken = { readonly claims: AccessTokenClaims; readonly live: LiveGrant }

/**
 * Checks an access token of ours (RFC 9068 section 4) but for whom it is: signed by us, an `at+jwt`, in time, and its grant
 * alive. The signature is checked once per token; that its key is still ours, and its grant alive, with every call.
 *
 * @throws AppError `unauthenticated`
 */
export function createReadAccessToken({ keys, grants, publicUrl, clock }: Deps) {
  const remembered = new Map<string, { readonly kid: string; readonly claims: AccessTokenClaims }>()
  const keySetOf = createKeySets()

  async function readClaims(token: string): Promise<AccessTokenClaims> {
    const { keys: published } = await keys.published()
    const hash = hashToken(token)
    const known = remembered.get(hash)
    if (known !== undefined && published.some(({ kid }) => kid === known.kid)) return known.claims
    const { payload, protectedHeader } = await jwtVerify(token, keySetOf(published), {
      algorithms: ['RS256'],
      typ: 'at+jwt',
      issuer: publicUrl.origin,
      clockTolerance: leewaySeconds,
      currentDate: clock.now(),
    })
    const claims = claimsSchema.parse(payload)
    if (claims.exp - claims.iat > maxLifetimeSeconds)
      throw new errors.JWTClaimValidationFailed('lives too long', payload)
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '')
    remembered.set(hash, { kid: protectedHeader.kid ?? '', claims })
    return claims
  }

  return async (token: string): Promise<ReadToken> => {
    if (!tokenForm.test(token)) throw refused('not a token of ours')
    const claims = await readClaims(token).catch((error: unknown) => {
      throw error instanceof errors.JOSEError || error instanceof z.ZodError ? refused(error.name) : error
    })
    const now = clock.now()
    if (expiryOf(claims) <= now) throw refused('expired')
    const live = await grants.findLive(claims[grantClaim], now)
    if (live === null) throw refused('revoked')
    const isItsOwn = live.grant.clientId === claims.client_id && live.principal.id === claims.sub
    if (!isItsOwn) throw refused('not of its grant')
    return { claims, live }
  }
}

export type ReadAccessToken = ReturnType<typeof createReadAccessToken>

/** When a token is no longer taken, the leeway between clocks included. */
export function expiryOf({ exp }: AccessTokenClaims): Date {
  return new Date((exp + leewaySeconds) * 1000)
}

/** Our own keys, and none that a token brings along or leaves unnamed. A set is made anew when the keys are others. */
function createKeySets(): (published: JWK[]) => JWTVerifyGetKey {
  let kids = ''
  let keySet: JWTVerifyGetKey = createLocalJWKSet({ keys: [] })
  return (published) => {
    const names = published.map(({ kid }) => kid).join()
    if (names !== kids) {
      kids = names
      keySet = createLocalJWKSet({ keys: published })
    }
    const current = keySet
    return async (header, token) => {
      if (header?.kid === undefined || keysInside.some((name) => name in header))
        throw new errors.JWSInvalid('names no key, or brings one, or extensions')
      return current(header, token)
    }
  }
}

/** The one answer to a token that is not good here; the reason is for the log. */
export function refused(reason: string): AppError {
  return new AppError('unauthenticated', `access token refused: ${reason}`, {
    publicDetail: 'This access token is not good here: it is expired, revoked, or for another connector.',
    meta: { reason: 'unknown' },
  })
}
