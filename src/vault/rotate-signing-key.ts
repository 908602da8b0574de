import { addMs, type Clock } from '../kernel/clock.ts'
import { makeKey } from './make-key.ts'
import { type KeyPurpose, type KeyStore, keyPurposes, type StoredKey } from './signing-keys.ts'
import type { Vault } from './vault.ts'

type Deps = { readonly store: KeyStore; readonly vault: Vault; readonly clock: Clock; readonly purpose: KeyPurpose }

/** `waiting`: a next key was there already, and nothing was done. */
export type KeyRotation = { readonly kind: 'rotated' | 'waiting'; readonly key: StoredKey }

/**
 * Makes the next key. It is published at once and signs once everybody had time to read it; the one before it stays
 * published until nothing that it signed is good any more. So nothing fails.
 */
export async function rotateSigningKey({ store, vault, clock, purpose }: Deps): Promise<KeyRotation> {
  const now = clock.now()
  const isFirst = (await store.list()).length === 0
  const key = await makeKey(vault, purpose, isFirst ? now : addMs(now, keyPurposes[purpose].leadMs))
  if (await store.add(key, now)) return { kind: 'rotated', key }
  const waiting = (await store.list()).at(-1)
  return { kind: 'waiting', key: waiting ?? key }
}

/** For a key that somebody else may have: a new one signs at once, and what the others signed is good no longer. */
export async function replaceSigningKeys({ store, vault, clock, purpose }: Deps): Promise<StoredKey> {
  const key = await makeKey(vault, purpose, clock.now())
  await store.replaceAll(key)
  return key
}
