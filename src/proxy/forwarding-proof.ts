import { createHmac } from 'node:crypto'
import type { Clock } from '../kernel/clock.ts'
import { isSameSecret } from '../kernel/secret.ts'
import type { SessionKeys } from './session-binding.ts'

/**
 * Bears the proof that a request comes from another process of ours. Callers' own are refused. With OPTIONS it asks for a proof
 * of who answers; see `place-proof.ts`.
 */
export const proofHeader = 'x-patchbay-forwarded'

/** What a proof is of: a proof for one request says nothing of another. */
type Subject = {
  readonly method: string
  readonly path: string
  readonly authorization: string | null
  readonly sessionId: string | null
}

/** Time on the way, and what clocks differ by. */
const maxAgeSeconds = 60
const pattern = /^(?<second>\d{1,12})\.(?<tag>[\w-]{43})$/

export type ForwardingProofs = ReturnType<typeof createForwardingProofs>

/**
 * `<second>.<HMAC-SHA256>` over method, path, credential and session id, with a key derived from `ENCRYPTION_KEYS`. It says
 * that one of ours has let this request in and sends it to where its session is: it is not counted, nor sent on, once more.
 * It gives no right: whoever gets the request checks the caller's own credential.
 */
export function createForwardingProofs({ keys, clock }: { readonly keys: SessionKeys; readonly clock: Clock }) {
  const tagOf = (key: Buffer, second: string, { method, path, authorization, sessionId }: Subject): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([second, method, path, authorization, sessionId]))
      .digest('base64url')
  const now = (): number => Math.floor(clock.now().getTime() / 1000)
  return {
    prove(subject: Subject): string {
      const second = String(now())
      return `${second}.${tagOf(keys.active, second, subject)}`
    },
    isProven(proof: string, subject: Subject): boolean {
      const { second, tag } = pattern.exec(proof)?.groups ?? {}
      if (second === undefined || tag === undefined || Math.abs(now() - Number(second)) > maxAgeSeconds) return false
      return keys.all.some((key) => isSameSecret(tagOf(key, second, subject), tag))
    },
  }
}
