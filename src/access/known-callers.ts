import type { Changes } from '../kernel/changes.ts'
import { type Clock, msOf } from '../kernel/clock.ts'
import { createReadThrough } from '../kernel/read-through.ts'
import { hashToken } from '../kernel/secret.ts'
import type { Caller } from './caller.ts'

/** Whose credential that is, at one connector. */
export type FindCallerOf = (credential: string, connectorId: string) => Promise<Caller>
/** The same, at once when that is remembered. */
export type VerifyCallerOf = (credential: string, connectorId: string) => Caller | Promise<Caller>

type Deps = {
  readonly verify: FindCallerOf
  readonly changes: Changes
  readonly clock: Clock
}

const maxEntries = 10_000
/** Of what nobody announces any change of. See docs/adr/0010-memory-that-hears-of-changes.md. */
const maxAgeMs = 300_000
/** Credentials as they came are held for less. */
const keysForMs = 60_000

/**
 * `verify` with a memory: a credential that was good a moment ago is good, unless it was announced to have changed or it
 * expired. While changes are not heard, nothing is remembered.
 */
export function createKnownCallers({ verify, changes, clock }: Deps): VerifyCallerOf {
  const nowMs = msOf(clock)
  const known = createReadThrough<Caller>({
    maxEntries,
    maxAgeMs,
    now: nowMs,
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

  /** By credential, of good ones: its hash would cost as much as everything else that is done here. For a minute at most. */
  const keys = new Map<string, { readonly connectorId: string; readonly key: string }>()

  function rememberKey(credential: string, connectorId: string, key: string): void {
    if (keys.size >= maxEntries) keys.clear()
    // by a timer, so that a process that nobody calls any more does not hold on to credentials
    if (keys.size === 0) setTimeout(() => keys.clear(), keysForMs).unref()
    keys.set(credential, { connectorId, key })
  }

  return (credential, connectorId) => {
    const read = () => verify(credential, connectorId).then(inOneShape)
    const unlessOver = (caller: Caller) =>
      caller.expiresAt !== null && caller.expiresAt.getTime() <= nowMs() ? read() : caller
    const last = keys.get(credential)
    const isKnown = last?.connectorId === connectorId
    const key = isKnown ? last.key : `${hashToken(credential)} ${connectorId}`
    const found = known.get(key, read)
    if (found instanceof Promise) return found.then(unlessOver)
    if (!isKnown) rememberKey(credential, connectorId, key)
    return unlessOver(found)
  }
}

/**
 * The same, written out: a principal that was put together by spreading a row is of a shape of its own, and every call on it would
 * look up anew where its members are (docs/performance.md).
 */
function inOneShape(caller: Caller): Caller {
  const { id, tenantId, kind, subject, role, scopes, label, isRecognisable = false } = caller.principal
  const principal = { id, tenantId, kind, subject, role, scopes, label, isRecognisable }
  const { credentialId, expiresAt, client } = caller
  return client === undefined ? { principal, credentialId, expiresAt } : { principal, credentialId, expiresAt, client }
}
