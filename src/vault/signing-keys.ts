import type { JWK } from 'jose'

/** A key pair of the installation: the private half sealed, the public half for everybody. */
export type StoredKey = {
  readonly kid: string
  readonly sealedPrivateKey: string
  readonly publicKey: JWK
  /** Until the next key does. */
  readonly signsFrom: Date
}

/** Where the keys of one purpose are kept. */
export type KeyStore = {
  /** In the order in which they sign. */
  list(): Promise<StoredKey[]>
  /** False, and nothing stored, where there is a key already that signs after that time. Two that come at once are told apart. */
  add(key: StoredKey, unlessAfter: Date): Promise<boolean>
  /** This one in place of all others. */
  replaceAll(key: StoredKey): Promise<void>
}

const minuteMs = 60_000
const dayMs = 86_400_000

/**
 * What keys are for. A key is published for `leadMs` before it signs, since others keep what we publish in memory; and for
 * `keptMs` after it signed last, since what it signed is still to be checked.
 */
export const keyPurposes = {
  /** Access tokens of ours. They live a day at most; the published keys may be kept in memory for five minutes. */
  tokens: { table: 'signing_keys', algorithm: 'RS256', leadMs: 10 * minuteMs, keptMs: dayMs + 2 * minuteMs },
  /** Proofs of who we are, for upstreams (RFC 7523). They live a minute; upstreams may keep our keys in memory for an hour. */
  client: { table: 'client_keys', algorithm: 'ES256', leadMs: 120 * minuteMs, keptMs: 10 * minuteMs },
} as const

export type KeyPurpose = keyof typeof keyPurposes

/** `next` and `former` keys are published and do not sign; one that is `over` is of no use any more. */
export type KeyPhase = 'next' | 'signing' | 'former' | 'over'

/**
 * What each key is at a time. One signs always, as long as there is one.
 *
 * @param keys in the order in which they sign
 */
export function phasesAt(
  keys: readonly StoredKey[],
  now: Date,
  { keptMs }: { readonly keptMs: number },
): { readonly key: StoredKey; readonly phase: KeyPhase }[] {
  const begun = keys.filter(({ signsFrom }) => signsFrom <= now).length
  const signing = Math.max(0, begun - 1)
  return keys.map((key, index) => {
    if (index > signing) return { key, phase: 'next' }
    if (index === signing) return { key, phase: 'signing' }
    const endedMs = keys[index + 1]?.signsFrom.getTime() ?? 0
    return { key, phase: now.getTime() - endedMs < keptMs ? 'former' : 'over' }
  })
}
