import { createLocalJWKSet, decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { isId } from '../kernel/id.ts'
import { hashToken } from '../kernel/secret.ts'
import type { StoredKeys } from '../vault/stored-keys.ts'
import { connectorResources, mcpScope } from './connector-resource.ts'
import type { GrantStore } from './grant.ts'

/** The claim that names the grant behind an access token. */
export const grantClaim = 'grant_id'

const leewaySeconds = 30
/** Longer than any that we issue (RFC 9068 section 2.2: `exp` is ours to choose). */
const maxLifetimeSeconds = 86_400
const maxRemembered = 10_000
const keysReadAgainMs = 5_000
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
type Claims = z.output<typeof claimsSchema>

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

/**
 * Says who calls a connector with an access token of ours (RFC 9068 section 4): signed by us, an `at+jwt`, in time, for
 * exactly this connector, and its grant alive. The signature is checked once per token, the grant with every call.
 *
 * @param connectorId whose endpoint, or alias, was called
 * @returns a caller that may use this connector and do nothing else
 * @throws AppError `unauthenticated` for a token that is not good here, `forbidden` (`meta.requiredScope`) for one without
 *   the scope
 */
export function createVerifyAccessToken({ keys, grants, publicUrl, clock }: Deps) {
  const remembered = new Map<string, Claims>()
  const keySet = createKeySet(keys, clock)

  async function readClaims(token: string): Promise<Claims> {
    const hash = hashToken(token)
    const known = remembered.get(hash)
    if (known !== undefined) return known
    const { payload } = await jwtVerify(token, keySet, {
      algorithms: ['RS256'],
      typ: 'at+jwt',
      issuer: publicUrl.origin,
      clockTolerance: leewaySeconds,
      currentDate: clock.now(),
    })
    const claims = claimsSchema.parse(payload)
    if (claims.exp - claims.iat > maxLifetimeSeconds) throw new Error('lives too long')
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '')
    remembered.set(hash, claims)
    return claims
  }

  return async (token: string, connectorId: string): Promise<Caller> => {
    if (!tokenForm.test(token)) throw refused('not a token of ours')
    const claims = await readClaims(token).catch((error: unknown) => {
      if (error instanceof AppError) throw error
      if (error instanceof errors.JOSEError || error instanceof Error) throw refused(error.name)
      throw error
    })
    const now = clock.now()
    if (claims.exp + leewaySeconds <= now.getTime() / 1000) throw refused('expired')
    if (!connectorResources(publicUrl, connectorId).includes(claims.aud)) throw refused('for another resource')
    const live = await grants.findLive(claims[grantClaim], now)
    if (live === null) throw refused('revoked')
    const { grant, principal } = live
    const isItsOwn =
      grant.connectorId === connectorId && grant.clientId === claims.client_id && principal.id === claims.sub
    if (!isItsOwn) throw refused('not of its grant')
    if (!claims.scope.split(' ').includes(mcpScope)) {
      throw new AppError('forbidden', 'token without the scope', { meta: { requiredScope: mcpScope } })
    }
    return {
      principal: {
        ...principal,
        tenantId: grant.tenantId,
        role: 'member',
        scopes: new Set(['connectors:proxy']),
        label: grant.clientName,
      },
      credentialId: grant.id,
      expiresAt: new Date((claims.exp + leewaySeconds) * 1000),
    }
  }
}

export type VerifyAccessToken = ReturnType<typeof createVerifyAccessToken>

/** Our own keys. One that is not known may be newer than this process; it is looked for, though not for every forgery. */
function createKeySet(keys: Deps['keys'], clock: Clock): JWTVerifyGetKey {
  let current: JWTVerifyGetKey | undefined
  let readAtMs = Number.NEGATIVE_INFINITY
  const read = async (): Promise<JWTVerifyGetKey> => {
    readAtMs = clock.now().getTime()
    current = createLocalJWKSet(await keys.published())
    return current
  }
  return async (header, token) => {
    if (keysInside.some((name) => name in (header ?? {}))) throw new errors.JWSInvalid('names keys or extensions')
    const known = current ?? (await read())
    try {
      return await known(header, token)
    } catch (error) {
      const isStale = clock.now().getTime() - readAtMs >= keysReadAgainMs
      if (!(error instanceof errors.JWKSNoMatchingKey) || !isStale) throw error
      return await (await read())(header, token)
    }
  }
}

function refused(reason: string): AppError {
  return new AppError('unauthenticated', `access token refused: ${reason}`, {
    publicDetail: 'This access token is not good here: it is expired, revoked, or for another connector.',
    meta: { reason: 'unknown' },
  })
}
