import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto'
import { importPKCS8 } from 'jose'
import { AppError } from '../kernel/app-error.ts'
import type { Secret } from '../kernel/secret.ts'

/** What client assertions may be signed with (RFC 7518 section 3.1, RFC 8037). */
export const signingAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
] as const
export type SigningAlgorithm = (typeof signingAlgorithms)[number]

/** A private key that a caller gave for a client of its own (RFC 7523). */
export type ClientPrivateKey = {
  /** PKCS #8 in PEM. */
  readonly pem: Secret
  readonly algorithm: SigningAlgorithm
  /** How the authorization server knows the key; null: it knows only one. */
  readonly keyId: string | null
}

const curves: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}
const minimumRsaBits = 2048

/**
 * Finds out how a private key signs.
 *
 * @param wanted what it is to sign with; only an RSA key leaves a choice
 * @throws AppError `invalid_request` for anything but a usable key, naming the field `auth.private_key`
 */
export function algorithmOf(pem: Secret, wanted: SigningAlgorithm | undefined): SigningAlgorithm {
  const key = readKey(pem)
  const possible = key === null ? [] : algorithmsFor(key)
  const [usual] = possible
  if (usual === undefined)
    throw refused('This is no private key in PKCS #8 PEM (EC P-256, P-384, P-521, RSA, Ed25519).')
  if (wanted === undefined) return usual
  if (!possible.includes(wanted)) throw refused(`This key cannot sign with ${wanted}.`)
  return wanted
}

/** The key, ready to sign. It was checked when it was given. */
export async function importPrivateKey({ pem, algorithm }: ClientPrivateKey): Promise<webcrypto.CryptoKey> {
  return importPKCS8(pem.reveal(), algorithm)
}

function readKey(pem: Secret): KeyObject | null {
  if (!/^-----BEGIN PRIVATE KEY-----\s/.test(pem.reveal())) return null
  try {
    return createPrivateKey(pem.reveal())
  } catch {
    return null
  }
}

function algorithmsFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly SigningAlgorithm[] {
  if (asymmetricKeyType === 'ed25519') return ['EdDSA']
  if (asymmetricKeyType === 'ec') {
    const algorithm = curves[asymmetricKeyDetails?.namedCurve ?? '']
    return algorithm === undefined ? [] : [algorithm]
  }
  const isStrong = (asymmetricKeyDetails?.modulusLength ?? 0) >= minimumRsaBits
  return asymmetricKeyType === 'rsa' && isStrong ? ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] : []
}

function refused(message: string): AppError {
  return new AppError('invalid_request', 'private key refused', {
    publicDetail: message,
    fields: [{ path: 'auth.private_key', message }],
  })
}
