import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'
import { InvalidGrant } from 'oidc-provider/lib/helpers/errors.js'
import type { Clock } from '../kernel/clock.ts'
import { readClientId } from './client-id.ts'

export type TokenStore = {
  /** What oidc-provider keeps its clients, codes, tokens and grants in. */
  readonly adapter: AdapterFactory
  /** False once a grant was revoked: its access tokens are JWTs, and this is how they die with it. */
  hasGrant(grantId: string): boolean
}

type Entry = { readonly payload: AdapterPayload; readonly expiresAtMs: number; consumedAt?: number }

const sweepEveryMs = 60_000

/**
 * The memory of the sandbox's authorization server. It lives as long as the process.
 *
 * Sign-in sessions are not kept: the sandbox asks at each authorization who you are, so that two people (or one
 * person in two roles) are told apart.
 */
export function createTokenStore({ clock }: { readonly clock: Clock }): TokenStore {
  const entries = new Map<string, Entry>()
  let sweptAtMs = clock.now().getTime()

  const read = (key: string): Entry | undefined => {
    const entry = entries.get(key)
    return entry !== undefined && entry.expiresAtMs > clock.now().getTime() ? entry : undefined
  }

  const sweep = (nowMs: number): void => {
    if (nowMs - sweptAtMs < sweepEveryMs) return
    sweptAtMs = nowMs
    for (const [key, entry] of entries) if (entry.expiresAtMs <= nowMs) entries.delete(key)
  }

  const adapter = (model: string): Adapter => {
    const keyOf = (id: string): string => `${model}:${id}`
    return {
      async upsert(id, payload, expiresIn) {
        if (model === 'Session') return
        const nowMs = clock.now().getTime()
        sweep(nowMs)
        const expiresAtMs = expiresIn === undefined ? Number.POSITIVE_INFINITY : nowMs + expiresIn * 1000
        entries.set(keyOf(id), { payload: structuredClone(payload), expiresAtMs })
      },
      async find(id) {
        const entry = read(keyOf(id))
        if (entry === undefined) return model === 'Client' ? readClientId(id) : undefined
        const { payload, consumedAt } = entry
        return { ...structuredClone(payload), ...(consumedAt === undefined ? {} : { consumed: consumedAt }) }
      },
      /** One step, in which the second of two simultaneous redemptions fails: the library checks only before it. */
      async consume(id) {
        const entry = read(keyOf(id))
        if (entry === undefined || entry.consumedAt !== undefined) throw new InvalidGrant('already used')
        entry.consumedAt = Math.floor(clock.now().getTime() / 1000)
      },
      async destroy(id) {
        entries.delete(keyOf(id))
      },
      async revokeByGrantId(grantId) {
        for (const [key, entry] of entries) {
          if (key.startsWith(`${model}:`) && entry.payload.grantId === grantId) entries.delete(key)
        }
      },
      findByUid: async () => undefined,
      findByUserCode: async () => undefined,
    }
  }

  return { adapter, hasGrant: (grantId) => read(`Grant:${grantId}`) !== undefined }
}
