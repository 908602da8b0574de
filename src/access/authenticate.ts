import { AppError } from '../kernel/app-error.ts'
import type { Caller, VerifyCaller } from './caller.ts'
import type { WrongKeys } from './wrong-keys.ts'

const maxCredentialLength = 8192

/** What of a request says who is asking. `rawHeaders` is Node's flat list of names and values, as received. */
export type CredentialSource = { readonly rawHeaders: readonly string[] }

/** And where it comes from. */
export type CallerSource = CredentialSource & { readonly address: string }

/**
 * The API key or token in a request: `Authorization: Bearer <it>`, or Basic with it as the password (RFC 7617; clients of
 * Agent Stack do that). Queries, bodies and cookies are never looked at.
 *
 * @returns null when there is no usable `Authorization` header
 * @throws AppError `invalid_request` when there are two such headers, or one over 8 KB
 */
export function readCredential({ rawHeaders }: CredentialSource): string | null {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'authorization') values.push(rawHeaders[index + 1] ?? '')
  }
  if (values.length > 1) {
    throw new AppError('invalid_request', 'two Authorization headers', {
      publicDetail: 'Send one Authorization header, not several.',
    })
  }
  return credentialIn(values[0] ?? null)
}

/**
 * The API key or token in the value of one `Authorization` header.
 *
 * @returns null when there is none that is usable
 * @throws AppError `invalid_request` when it is over 8 KB
 */
export function credentialIn(value: string | null): string | null {
  if (value === null) return null
  if (value.length > maxCredentialLength) {
    throw new AppError('invalid_request', 'Authorization header too long', {
      publicDetail: 'The Authorization header is longer than 8 KB.',
    })
  }
  // as nearly all do, and at a tenth of the price
  if (value.startsWith('Bearer ') && value.length > 7 && !value.includes(' ', 7)) return value.slice(7)
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S+) *$/.exec(value) ?? []
  if (scheme.toLowerCase() === 'bearer') return credentials
  if (scheme.toLowerCase() !== 'basic') return null
  const pair = Buffer.from(credentials, 'base64').toString('utf8')
  const separator = pair.indexOf(':')
  const password = pair.slice(separator + 1)
  return separator === -1 || password === '' ? null : password
}

type Deps = { readonly verifyCaller: VerifyCaller; readonly wrongKeys: WrongKeys }

/**
 * Finds out who is asking.
 *
 * @throws AppError `unauthenticated` (`meta.reason`: `missing` or `unknown`), `invalid_request`, `rate_limited`
 */
export function createAuthenticate({ verifyCaller, wrongKeys }: Deps) {
  return async (source: CallerSource): Promise<Caller> => {
    const credential = readCredential(source)
    if (credential === null) throw new AppError('unauthenticated', 'no credentials', { meta: { reason: 'missing' } })
    return wrongKeys({ credential, address: () => source.address, verify: () => verifyCaller(credential) })
  }
}
