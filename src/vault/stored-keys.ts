import type { webcrypto } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from './vault.ts'

export type StoredKey = { readonly kid: string; readonly sealedPrivateKey: string; readonly publicKey: JWK }

/** Where the keys of one purpose are kept. */
export type KeyStore = {
  /** Oldest first. */
  list(): Promise<StoredKey[]>
  add(key: StoredKey): Promise<void>
}

/** What something is signed with. */
export type SigningKey = { readonly kid: string; readonly key: webcrypto.CryptoKey }

export type StoredKeys = {
  /** The key that signs: the oldest one, made at first need. */
  signing(): Promise<SigningKey>
  /** The same with its private parts, for a library that signs by itself. */
  signingJwk(): Promise<JWK>
  /** What others check signatures with; public parts only (RFC 7517). */
  published(): Promise<{ keys: JWK[] }>
}

const privateKeySchema = z.looseObject({ kty: z.string() })

type Deps = {
  readonly store: KeyStore
  readonly vault: Vault
  /** Where the store keeps them: part of what seals them. */
  readonly table: 'client_keys' | 'signing_keys'
  readonly algorithm: 'ES256' | 'RS256'
}

/**
 * Asymmetric keys of the installation for one purpose, sealed at rest. Two processes that make the first one at once both
 * publish theirs, and both sign with the older.
 */
export function createStoredKeys({ store, vault, table, algorithm }: Deps): StoredKeys {
  let signing: Promise<JWK> | undefined
  const place = (kid: string): SealedPlace => ({
    table,
    column: 'sealed_private_key',
    rowId: kid,
    tenantId: 'installation',
  })

  async function load(): Promise<JWK> {
    if ((await store.list()).length === 0) await store.add(await makeKey())
    const [oldest] = await store.list()
    if (oldest === undefined) throw new Error('a key was just stored')
    const { kid, sealedPrivateKey } = oldest
    const jwk = privateKeySchema.parse(JSON.parse(vault.open(sealedPrivateKey, place(kid)).reveal()))
    return { ...jwk, kid, alg: algorithm, use: 'sig' }
  }

  async function makeKey(): Promise<StoredKey> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const publicJwk = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(publicJwk)
    return {
      kid,
      sealedPrivateKey: vault.seal(new Secret(JSON.stringify(await exportJWK(privateKey))), place(kid)),
      publicKey: { ...publicJwk, kid, alg: algorithm, use: 'sig' },
    }
  }

  function loadOnce(): Promise<JWK> {
    signing ??= load().catch((error: unknown) => {
      signing = undefined
      throw error
    })
    return signing
  }

  return {
    signingJwk: loadOnce,

    async signing() {
      const jwk = await loadOnce()
      const key = await importJWK(jwk, algorithm)
      if (key instanceof Uint8Array || jwk.kid === undefined) throw new Error('a stored key is never symmetric')
      return { kid: jwk.kid, key }
    },

    async published() {
      await loadOnce()
      return { keys: (await store.list()).map(({ publicKey }) => publicKey) }
    },
  }
}
