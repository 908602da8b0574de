import { z } from 'zod'
import { Secret } from '../kernel/secret.ts'

/** What a token endpoint gave us (RFC 6749 section 5.1). */
export type TokenSet = {
  readonly accessToken: Secret
  readonly refreshToken?: Secret
  /** 1 s to 30 days; absent when the server did not say, or said something that is no lifetime. */
  readonly expiresInSeconds?: number
  readonly scopes?: readonly string[]
}

const maxExpiresInSeconds = 30 * 86_400
const maxTokenLength = 16_384

const token = z.string().min(1).max(maxTokenLength)
const optionalText = z.string().min(1).max(maxTokenLength).optional().catch(undefined)

const tokenResponse = z.object({
  access_token: token,
  // some servers leave it out; those that write it use any case
  token_type: z.preprocess((type) => type ?? 'Bearer', z.string().regex(/^bearer$/i)),
  refresh_token: optionalText,
  expires_in: z.unknown(),
  scope: optionalText,
})

/**
 * Servers write `3600`, `"3600"`, `""`, `0`, `-1`, or leave it out. Only a positive number of seconds is a lifetime; the rest
 * counts as "not said", and a 401 will tell.
 */
export function readExpiresIn(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || !/^\d+(\.\d+)?$/.test(text)) return undefined
  const seconds = Number(text)
  return seconds > 0 ? Math.min(Math.max(Math.floor(seconds), 1), maxExpiresInSeconds) : undefined
}

/** Reads a token response; undefined when it is none. */
export function readTokenResponse(body: unknown): TokenSet | undefined {
  const result = tokenResponse.safeParse(body)
  if (!result.success) return undefined
  const { access_token, refresh_token, expires_in, scope } = result.data
  const expiresInSeconds = readExpiresIn(expires_in)
  return {
    accessToken: new Secret(access_token),
    ...(refresh_token === undefined ? {} : { refreshToken: new Secret(refresh_token) }),
    ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
    ...(scope === undefined ? {} : { scopes: scope.split(/[ ,]+/).filter((item) => item !== '') }),
  }
}
