import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose'
import { Secret } from '../kernel/secret.ts'
import { type KeyPurpose, keyPurposes, type StoredKey } from './signing-keys.ts'
import type { SealedPlace, Vault } from './vault.ts'

/** Where a private key is sealed: it opens nowhere else. */
export function placeOfKey(purpose: KeyPurpose, kid: string): SealedPlace {
  return { table: keyPurposes[purpose].table, column: 'sealed_private_key', rowId: kid, tenantId: 'installation' }
}

/** A new key pair, named by its thumbprint (RFC 7638). */
export async function makeKey(vault: Vault, purpose: KeyPurpose, signsFrom: Date): Promise<StoredKey> {
  const alg = keyPurposes[purpose].algorithm
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  const secret = new Secret(JSON.stringify(await exportJWK(privateKey)))
  return {
    kid,
    sealedPrivateKey: vault.seal(secret, placeOfKey(purpose, kid)),
    publicKey: { ...publicJwk, kid, alg, use: 'sig' },
    signsFrom,
  }
}
