import type { webcrypto } from 'node:crypto'
import { importJWK, type JWK } from 'jose'
import { z } from 'zod'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import { createReadThrough } from '../kernel/read-through.ts'
import { makeKey, placeOfKey } from './make-key.ts'
import { type KeyPurpose, type KeyStore, keyPurposes, phasesAt, type StoredKey } from './signing-keys.ts'
import type { Vault } from './vault.ts'

/** What something is signed with. */
export type SigningKey = { readonly kid: string; readonly key: webcrypto.CryptoKey }

export type StoredKeys = {
  /** The key that signs now; the first one is made at first need. */
  signing(): Promise<SigningKey>
  /** The same with its private parts, for a library that signs by itself. */
  signingJwk(): Promise<JWK & { readonly kid: string }>
  /** What others check signatures with: public parts only (RFC 7517), of the next, the signing and the former keys. */
  published(): Promise<{ keys: JWK[] }>
}

const privateKeySchema = z.looseObject({ kty: z.string() })
const maxAgeMs = 5000

type Deps = {
  readonly store: KeyStore
  readonly vault: Vault
  readonly purpose: KeyPurpose
  readonly changes: Pick<Changes, 'subscribe' | 'isLive'>
  readonly clock: Clock
}

/**
 * Asymmetric keys of the installation for one purpose, sealed at rest and remembered until they are announced to have
 * changed, five seconds at most. Which of them signs is a matter of the time alone, so that all processes change over at once.
 */
export function createStoredKeys({ store, vault, purpose, changes, clock }: Deps): StoredKeys {
  const known = createReadThrough<readonly StoredKey[]>({
    maxEntries: 1,
    maxAgeMs,
    now: () => clock.now().getTime(),
    isOpen: changes.isLive,
    tagsOf: () => [],
  })
  changes.subscribe({
    onChange: ({ kind }) => {
      if (kind === 'signing_key') known.clear()
    },
    onLost: known.clear,
    onLive: known.clear,
  })
  let opened: { readonly sealed: string; readonly jwk: JWK & { readonly kid: string } } | undefined

  async function read(): Promise<readonly StoredKey[]> {
    const keys = await store.list()
    if (keys.length > 0) return keys
    await store.add(await makeKey(vault, purpose, clock.now()), new Date(0))
    return store.list()
  }

  async function list() {
    return phasesAt(await known.get(purpose, read), clock.now(), keyPurposes[purpose])
  }

  async function signingJwk(): Promise<JWK & { readonly kid: string }> {
    const key = (await list()).find(({ phase }) => phase === 'signing')?.key
    if (key === undefined) throw new Error('a key was just stored')
    const { kid, sealedPrivateKey: sealed } = key
    if (opened?.sealed === sealed) return opened.jwk
    const jwk = privateKeySchema.parse(JSON.parse(vault.open(sealed, placeOfKey(purpose, kid)).reveal()))
    opened = { sealed, jwk: { ...jwk, kid, alg: keyPurposes[purpose].algorithm, use: 'sig' } }
    return opened.jwk
  }

  return {
    signingJwk,

    async signing() {
      const jwk = await signingJwk()
      const key = await importJWK(jwk, keyPurposes[purpose].algorithm)
      if (key instanceof Uint8Array) throw new Error('a stored key is never symmetric')
      return { kid: jwk.kid, key }
    },

    async published() {
      return { keys: (await list()).filter(({ phase }) => phase !== 'over').map(({ key }) => key.publicKey) }
    },
  }
}
