import { errors, type JWTHeaderParameters, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { hashToken } from '../kernel/secret.ts'
import type { VerifyCaller } from './caller.ts'
import { type ClaimedPrincipal, type ClaimMapping, readClaims } from './oidc-claims.ts'
import type { AccessStore } from './store.ts'

type Deps = {
  readonly keys: JWTVerifyGetKey
  readonly issuer: string
  readonly audience: string
  readonly mapping: ClaimMapping
  readonly access: Pick<AccessStore, 'findTenant' | 'ensurePrincipal'>
  /** Whether people can sign in in a browser as well, so that links of theirs may ask them to. */
  readonly canSignIn: boolean
  readonly clock: Clock
}

/** Signatures with a public key. No HMAC, so that nobody signs with what we publish (RFC 8725 section 3.1). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const keysInside = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64']
const leewaySeconds = 30
const maxLifetimeSeconds = 86_400
const maxRemembered = 10_000
/** For as long as a key that the issuer has withdrawn may go on being trusted. */
const rememberedMs = 600_000

type Verified = { readonly claimed: ClaimedPrincipal; readonly expiresAt: Date; readonly untilMs: number }

/**
 * Says who calls with an access token of the organisation's issuer (RFC 9068 section 4, and the rules of RFC 8725 where an
 * issuer does not follow it). The signature is checked once per token; tenant and principal each time.
 *
 * @throws AppError `unauthenticated`; `issuer_unavailable` when the keys cannot be read
 */
export function createVerifyOidcToken(deps: Deps): VerifyCaller {
  const { keys, issuer, audience, mapping, access, clock } = deps
  const remembered = new Map<string, Verified>()

  async function verify(token: string): Promise<Verified> {
    const { payload, protectedHeader } = await jwtVerify(token, withoutKeysInside(keys), {
      algorithms,
      issuer,
      audience,
      clockTolerance: leewaySeconds,
      currentDate: clock.now(),
      requiredClaims: ['exp', 'iat', 'sub'],
    })
    if (!isAccessToken(protectedHeader, payload)) throw refused('no access token')
    const { exp = 0, iat = 0 } = payload
    const nowSeconds = clock.now().getTime() / 1000
    if (iat > nowSeconds + leewaySeconds) throw refused('from the future')
    if (exp - iat > maxLifetimeSeconds) throw refused('lives too long')
    const claimed = readClaims(payload, mapping)
    if (claimed === null) throw refused('a claim is missing')
    const expiresAt = new Date((exp + leewaySeconds) * 1000)
    return { claimed, expiresAt, untilMs: Math.min(expiresAt.getTime(), clock.now().getTime() + rememberedMs) }
  }

  async function verifiedOnce(token: string): Promise<Verified> {
    const hash = hashToken(token)
    const known = remembered.get(hash)
    if (known !== undefined && known.untilMs > clock.now().getTime()) return known
    remembered.delete(hash)
    const verified = await verify(token).catch((error: unknown) => {
      throw error instanceof errors.JOSEError ? refused(error.code, error) : error
    })
    if (remembered.size >= maxRemembered) remembered.delete(remembered.keys().next().value ?? '')
    remembered.set(hash, verified)
    return verified
  }

  return async (token) => {
    const { claimed, expiresAt } = await verifiedOnce(token)
    const { tenantSlug, ...principal } = claimed
    const tenant = await access.findTenant(tenantSlug)
    if (tenant === null) throw refused('unknown tenant')
    const { kind, subject } = principal
    const id = await access.ensurePrincipal({ tenantId: tenant.id, kind, subject })
    const isRecognisable = deps.canSignIn && kind === 'user'
    return { principal: { ...principal, id, tenantId: tenant.id, isRecognisable }, credentialId: null, expiresAt }
  }
}

/** Keys come from the issuer, never from the token (RFC 8725 section 3.10). */
function withoutKeysInside(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return (header, token) => {
    if (keysInside.some((name) => name in (header ?? {}))) throw new errors.JWSInvalid('names keys or extensions')
    return keys(header, token)
  }
}

/**
 * An access token says so (RFC 9068 section 2.1), or is of an issuer that does not type them: then it must bear no mark of an
 * ID token (OpenID Connect Core section 2), and one that only access tokens bear.
 */
function isAccessToken({ typ }: JWTHeaderParameters, claims: JWTPayload): boolean {
  const type = typ?.toLowerCase().replace(/^application\//, '')
  if (type === 'at+jwt') return true
  if (type !== undefined && type !== 'jwt') return false
  if (['nonce', 'at_hash', 'c_hash', 's_hash'].some((name) => name in claims)) return false
  // Keycloak and Cognito say what a token is in a claim
  if (claims.typ !== undefined && claims.typ !== 'Bearer') return false
  if (claims.token_use !== undefined && claims.token_use !== 'access') return false
  return ['scope', 'scp', 'client_id', 'cid', 'appid'].some((name) => name in claims)
}

function refused(reason: string, cause?: unknown): AppError {
  return new AppError('unauthenticated', `token refused: ${reason}`, {
    publicDetail:
      'This access token is not good here: it is expired, not for Patchbay, or of an organisation unknown here.',
    meta: { reason: 'unknown', why: reason },
    cause,
  })
}
