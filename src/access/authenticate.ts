import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Principal } from '../kernel/principal.ts'
import { hashToken } from '../kernel/secret.ts'
import type { AccessStore } from './store.ts'

const maxCredentialLength = 8192

/** What of a request says who is asking. `rawHeaders` is Node's flat list of names and values, as received. */
export type CredentialSource = { readonly rawHeaders: readonly string[] }

/**
 * The API key in a request: `Authorization: Bearer <key>`, or Basic with the key as the password (RFC 7617; clients of
 * Agent Stack do that). Queries, bodies and cookies are never looked at.
 *
 * @returns null when there is no usable `Authorization` header
 * @throws AppError `invalid_request` when there are two such headers, or one over 8 KB
 */
export function readApiKey({ rawHeaders }: CredentialSource): string | null {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'authorization') values.push(rawHeaders[index + 1] ?? '')
  }
  if (values.length > 1) {
    throw new AppError('invalid_request', 'two Authorization headers', {
      publicDetail: 'Send one Authorization header, not several.',
    })
  }
  const [value] = values
  if (value === undefined) return null
  if (value.length > maxCredentialLength) {
    throw new AppError('invalid_request', 'Authorization header too long', {
      publicDetail: 'The Authorization header is longer than 8 KB.',
    })
  }
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S+) *$/.exec(value) ?? []
  if (scheme.toLowerCase() === 'bearer') return credentials
  if (scheme.toLowerCase() !== 'basic') return null
  const pair = Buffer.from(credentials, 'base64').toString('utf8')
  const separator = pair.indexOf(':')
  const password = pair.slice(separator + 1)
  return separator === -1 || password === '' ? null : password
}

type Deps = { readonly access: AccessStore; readonly clock: Clock }

/**
 * Finds out who is asking.
 *
 * @throws AppError `unauthenticated` (`meta.reason`: `missing` or `unknown`), `invalid_request`
 */
export function createAuthenticate({ access, clock }: Deps) {
  return async (source: CredentialSource): Promise<Principal> => {
    const key = readApiKey(source)
    if (key === null) throw new AppError('unauthenticated', 'no credentials', { meta: { reason: 'missing' } })
    const principal = await access.findPrincipalByKeyHash(hashToken(key), clock.now())
    if (principal === null) {
      throw new AppError('unauthenticated', 'unknown, revoked or expired key', {
        meta: { reason: 'unknown' },
        publicDetail: 'This API key is unknown, revoked or expired.',
      })
    }
    return principal
  }
}
