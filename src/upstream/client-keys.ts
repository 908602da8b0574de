import type { webcrypto } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { z } from 'zod'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'

export type StoredClientKey = { readonly kid: string; readonly sealedPrivateKey: string; readonly publicKey: JWK }

/** Where our client keys are kept. */
export type ClientKeyStore = {
  /** Oldest first. */
  list(): Promise<StoredClientKey[]>
  add(key: StoredClientKey): Promise<void>
}

/** What an assertion is signed with. */
export type SigningKey = { readonly kid: string; readonly key: webcrypto.CryptoKey }

export type ClientKeys = {
  /** The key that signs: the oldest one, made at first need. */
  signing(): Promise<SigningKey>
  /** What authorization servers check assertions with; public parts only (RFC 7517). */
  published(): Promise<{ keys: JWK[] }>
}

const algorithm = 'ES256'
const privateKeySchema = z.looseObject({ kty: z.string() })

const place = (kid: string): SealedPlace => ({
  table: 'client_keys',
  column: 'sealed_private_key',
  rowId: kid,
  tenantId: 'installation',
})

type Deps = { readonly store: ClientKeyStore; readonly vault: Vault }

/**
 * Our keys as a client, for `private_key_jwt` (RFC 7523, OpenID Connect Core section 9). They sign nothing but client
 * assertions. Two processes that make one at once both publish theirs, and both sign with the older.
 */
export function createClientKeys({ store, vault }: Deps): ClientKeys {
  let signing: Promise<SigningKey> | undefined

  async function load(): Promise<SigningKey> {
    if ((await store.list()).length === 0) await store.add(await makeKey(vault))
    const [oldest] = await store.list()
    if (oldest === undefined) throw new Error('a client key was just stored')
    const text = vault.open(oldest.sealedPrivateKey, place(oldest.kid)).reveal()
    const key = await importJWK(privateKeySchema.parse(JSON.parse(text)), algorithm)
    if (key instanceof Uint8Array) throw new Error('a client key is never symmetric')
    return { kid: oldest.kid, key }
  }

  function loadOnce(): Promise<SigningKey> {
    signing ??= load().catch((error: unknown) => {
      signing = undefined
      throw error
    })
    return signing
  }

  return {
    signing: loadOnce,

    async published() {
      await loadOnce()
      return { keys: (await store.list()).map(({ publicKey }) => publicKey) }
    },
  }
}

async function makeKey(vault: Vault): Promise<StoredClientKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    kid,
    sealedPrivateKey: vault.seal(new Secret(JSON.stringify(await exportJWK(privateKey))), place(kid)),
    publicKey: { ...publicJwk, kid, alg: algorithm, use: 'sig' },
  }
}
