import { z } from 'zod'
import { Secret } from '../kernel/secret.ts'
import { parseScopes } from './challenge.ts'

/** What a grant gave. */
export type TokenSet = {
  readonly accessToken: Secret
  /** Absent: the one that there was goes on (RFC 6749 section 6). */
  readonly refreshToken?: Secret
  /** How long the access token lives, between one second and 30 days. Absent: the server does not say. */
  readonly expiresInSeconds?: number
  /** How long the refresh token lives, where the server says so: at least a second, at most ten years. */
  readonly refreshExpiresInSeconds?: number
  /** Absent: as asked for. */
  readonly scopes?: readonly string[]
}

const maxLifetimeSeconds = 30 * 86_400
const maxRefreshLifetimeSeconds = 10 * 365 * 86_400

/** A token goes into a header: visible ASCII only (RFC 6749 appendix A.12). */
const token = z
  .string()
  .max(16_384)
  .regex(/^[\x21-\x7e]+$/)

const schema = z.object({
  access_token: token,
  // Some leave it out; those that write it use any case.
  token_type: z
    .string()
    .regex(/^bearer$/i)
    .optional(),
  refresh_token: token.optional().catch(undefined),
  expires_in: z.unknown().optional(),
  // no RFC names them: the first is Keycloak's, the second GitHub's
  refresh_expires_in: z.unknown().optional(),
  refresh_token_expires_in: z.unknown().optional(),
  scope: z
    .union([z.string().max(16_384), z.array(z.string().max(256)).max(1000)])
    .optional()
    .catch(undefined),
})

/**
 * Reads a token response (RFC 6749 section 5.1), more leniently than the RFC: `token_type` in any case or missing,
 * `expires_in` as text, `scope` as a list or with commas.
 *
 * @returns null without a usable bearer token
 */
export function readTokenResponse(document: Readonly<Record<string, unknown>>): TokenSet | null {
  const result = schema.safeParse(document)
  if (!result.success) return null
  const { access_token, refresh_token, expires_in, refresh_expires_in, refresh_token_expires_in, scope } = result.data
  const expiresInSeconds = readLifetime(expires_in, maxLifetimeSeconds)
  const refreshExpiresInSeconds = readLifetime(
    refresh_expires_in ?? refresh_token_expires_in,
    maxRefreshLifetimeSeconds,
  )
  const scopes = parseScopes([scope ?? ''].flat().join(' ').replaceAll(',', ' '))
  return {
    accessToken: new Secret(access_token),
    ...(refresh_token === undefined ? {} : { refreshToken: new Secret(refresh_token) }),
    ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
    ...(refreshExpiresInSeconds === undefined ? {} : { refreshExpiresInSeconds }),
    ...(scopes.length === 0 ? {} : { scopes }),
  }
}

/** Zero and less mean "never" to some and "over" to others: the server has not said, and a 401 will tell. */
function readLifetime(value: unknown, maxSeconds: number): number | undefined {
  const isNumeral = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
  const seconds = typeof value === 'number' ? value : isNumeral ? Number(value) : Number.NaN
  return seconds > 0 ? Math.min(Math.max(Math.floor(seconds), 1), maxSeconds) : undefined
}
