import type { NewEvent } from '../audit/event.ts'
import type { Challenge } from '../upstream/challenge.ts'
import { parseScopes } from '../upstream/challenge.ts'
import { type Connection, hasUsableGrant, type StepUps } from './connection.ts'
import { disconnectReasons } from './disconnect-reason.ts'
import { withoutGrant } from './grant-changes.ts'
import type { ConnectionChanges } from './store.ts'

/** The refusal for want of one set of scopes that is the last: after it nobody is asked for them any more. */
const finalRefusal = 3
/** A server that asks for ever new scopes is not followed for ever. */
const maxScopeSets = 50
const maxScopes = 100
const code = 'insufficient_scope'

export type StepUp = {
  readonly changes: ConnectionChanges
  readonly event: NewEvent
  /** True when authorizing again would come to the same once more. */
  readonly isHopeless: boolean
}

/**
 * What it means for a connection that its token lacks a scope (MCP authorization, "Step-Up Authorization Flow"). Somebody is
 * asked to authorize more; at the third refusal for the same scopes nobody is asked any more: a grant that is of use for
 * other things stays, any other ends.
 */
export function stepUp(connection: Connection, challenge: Challenge, now: Date): StepUp {
  const refusals = countRefusal(connection.stepUps, challenge)
  if (!refusals.isFinal) {
    const scope = unionOfScopes(pendingScopes(connection), parseScopes(challenge.scope ?? '')).join(' ')
    return {
      changes: { state: 'auth_required', challenge: { ...challenge, scope }, stepUps: refusals.stepUps },
      event: { type: 'connector.auth_required', code },
      isHopeless: false,
    }
  }
  const lastError = { code, at: now.toISOString(), retryable: false, attempts: finalRefusal }
  if (hasUsableGrant(connection)) {
    return {
      changes: { state: 'connected', challenge: null, stepUps: refusals.stepUps, lastError },
      event: { type: 'connector.step_up_failed', code, detail: disconnectReasons[code] },
      isHopeless: true,
    }
  }
  return {
    changes: {
      ...withoutGrant,
      state: 'disconnected',
      disconnectCode: code,
      disconnectReason: disconnectReasons[code],
      lastError,
      grantEpoch: connection.grantEpoch + 1,
    },
    event: { type: 'connector.disconnected', code, detail: disconnectReasons[code] },
    isHopeless: true,
  }
}

/** True when somebody is asked for these scopes already, or nobody is any more: there is nothing to write. */
export function isStepUpKnown(connection: Connection, challenge: Challenge): boolean {
  const pending = pendingScopes(connection)
  const isPending = connection.state === 'auth_required' && connection.challenge?.error === code
  if (isPending && parseScopes(challenge.scope ?? '').every((scope) => pending.includes(scope))) return true
  return refusalsOf(connection.stepUps, challenge) >= finalRefusal
}

/** What the step-up asks for that waits for a person, if one does. */
function pendingScopes({ state, challenge }: Connection): string[] {
  return state === 'auth_required' && challenge?.error === code ? parseScopes(challenge.scope ?? '') : []
}

/**
 * The scopes to ask for in a step-up: all that were asked for before, and the new ones, so that the new grant can do no less
 * than the old one. 100 at most.
 */
export function unionOfScopes(before: readonly string[], added: readonly string[]): string[] {
  return [...new Set([...before, ...added])].slice(0, maxScopes)
}

function countRefusal(
  stepUps: StepUps | null,
  challenge: Challenge,
): { readonly stepUps: StepUps; readonly isFinal: boolean } {
  const counts = new Map(Object.entries(stepUps ?? {}))
  const scopes = scopeSet(challenge)
  const isOneTooMany = !counts.has(scopes) && counts.size >= maxScopeSets
  const count = Math.min((counts.get(scopes) ?? 0) + 1, finalRefusal)
  if (!isOneTooMany) counts.set(scopes, count)
  return { stepUps: Object.fromEntries(counts), isFinal: isOneTooMany || count === finalRefusal }
}

function refusalsOf(stepUps: StepUps | null, challenge: Challenge): number {
  const scopes = scopeSet(challenge)
  return Object.entries(stepUps ?? {}).find(([set]) => set === scopes)?.[1] ?? 0
}

/** Which operation was refused shows in the scopes that it needs. */
function scopeSet({ scope = '' }: Challenge): string {
  return parseScopes(scope).sort().join(' ')
}
