import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import { createReadThrough } from '../kernel/read-through.ts'
import { hashToken } from '../kernel/secret.ts'
import type { Caller } from './caller.ts'

/** Whose credential that is, at one connector. */
export type VerifyCallerOf = (credential: string, connectorId: string) => Promise<Caller>

type Deps = { readonly verify: VerifyCallerOf; readonly changes: Changes; readonly clock: Clock }

const maxEntries = 10_000
/** Of what nobody announces any change of. See docs/adr/0010-memory-that-hears-of-changes.md. */
const maxAgeMs = 60_000

/**
 * `verify` with a memory: a credential that was good a moment ago is good, unless it was announced to have changed or it
 * expired. While changes are not heard, nothing is remembered.
 */
export function createKnownCallers({ verify, changes, clock }: Deps): VerifyCallerOf {
  const known = createReadThrough<Caller>({
    maxEntries,
    maxAgeMs,
    now: () => clock.now().getTime(),
    isOpen: changes.isLive,
    tagsOf: ({ credentialId, principal }) => (credentialId === null ? [principal.id] : [credentialId, principal.id]),
  })
  changes.subscribe({
    onChange: ({ kind, ids: [id = ''] }) => {
      if (kind === 'api_key' || kind === 'host_grant' || kind === 'principal') known.forget(id)
      else if (kind === 'signing_key') known.clear()
    },
    onLost: known.clear,
    onLive: known.clear,
  })

  return async (credential, connectorId) => {
    // by its hash, so that comparing tells nothing about it
    const key = `${hashToken(credential)} ${connectorId}`
    const caller = await known.get(key, () => verify(credential, connectorId))
    const isOver = caller.expiresAt !== null && caller.expiresAt <= clock.now()
    return isOver ? verify(credential, connectorId) : caller
  }
}
