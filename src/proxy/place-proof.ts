import { createHmac, randomBytes } from 'node:crypto'
import { isSameSecret } from '../kernel/secret.ts'
import type { Home } from './own-place.ts'
import type { SessionKeys } from './session-binding.ts'

const nonceForm = /^[\w-]{43}$/

export type PlaceProofs = ReturnType<typeof createPlaceProofs>

/**
 * Shows that who listens at an `INTERNAL_URL` is the server that was there when a session began. Addresses of pods are given
 * to others: those must not be sent anything. The asker says a nonce; the answer is its HMAC-SHA256 with the answering server's
 * name, under a key derived from `ENCRYPTION_KEYS`. A server has its name for one start, and the nonce does not hold
 * it, so an answer that is fetched from another server of ours proves nothing.
 */
export function createPlaceProofs({
  keys,
  place,
}: {
  readonly keys: SessionKeys
  readonly place: Pick<Home, 'server'>
}) {
  const tagOf = (key: Buffer, server: string, nonce: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([server, nonce]))
      .digest('base64url')
  return {
    /** What to ask of whoever listens where `home` was, and whether an answer to it shows that it is there still. */
    demand({ server }: Pick<Home, 'server'>): { readonly nonce: string; readonly isMetBy: (proof: string) => boolean } {
      const nonce = randomBytes(32).toString('base64url')
      return { nonce, isMetBy: (proof) => keys.all.some((key) => isSameSecret(tagOf(key, server, nonce), proof)) }
    },

    /** That this is the server which it is; null for what is no nonce. */
    prove: (nonce: string): string | null => (nonceForm.test(nonce) ? tagOf(keys.active, place.server, nonce) : null),
  }
}
