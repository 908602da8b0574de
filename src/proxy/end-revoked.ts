import type { IncomingMessage } from 'node:http'
import type { Caller } from '../access/caller.ts'
import type { UpstreamTarget } from '../connections/resolve-upstream.ts'
import { AppError, type ErrorCode, isAppError } from '../kernel/app-error.ts'
import type { Changes } from '../kernel/changes.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AuthenticateCaller, ResolveUpstream } from './ports.ts'

/** A call that is being relayed, as far as somebody's right to it matters. */
export type UnderWay = {
  readonly request: IncomingMessage
  readonly caller: Caller
  readonly target: UpstreamTarget
  /** An event stream ends at its next event boundary; anything else goes on. */
  retire(): void
  /** An event stream ends now; with an error anything else does as well, answered with that error where it still can be. */
  cut(error: AppError | null): void
}

type Deps = {
  readonly changes: Changes
  readonly authenticate: AuthenticateCaller
  readonly resolveUpstream: ResolveUpstream
  readonly visit: (tell: (call: UnderWay) => void) => void
  readonly clock: Clock
}

/** What has become of the right to a call: null means that it stands. `unknown`: the database cannot be asked. */
type Verdict = { readonly error: AppError | null } | 'unknown' | null

const sweepMs = 2000
/** For an event to be completed. With the sweep before it less than five seconds (TK-05). */
const graceMs = 2500
const maxAtOnce = 8
const refusals: ReadonlySet<ErrorCode> = new Set(['unauthenticated', 'forbidden', 'not_found', 'connector_disabled'])

/**
 * Ends what is under way once the right to it is over: the key revoked or expired, the connector deleted, disabled or
 * changed, the connection ended or made anew. Announced changes are looked into at once; while changes are not heard,
 * everything is looked into again and again.
 *
 * @returns stops it
 */
export function endRevoked({ changes, authenticate, resolveUpstream, visit, clock }: Deps): () => void {
  let isDue = false
  let isLooking = false

  function end(call: UnderWay, error: AppError | null): void {
    call.retire()
    setTimeout(() => call.cut(error), graceMs).unref()
  }

  async function judge({ request, target }: UnderWay): Promise<Verdict> {
    try {
      const caller = await authenticate(request, request.headers.authorization ?? null, target.connectorId)
      const resolution = await resolveUpstream(caller.principal, target.connectorId)
      if (resolution.kind === 'needs_connection') return { error: new AppError('not_connected', 'connection ended') }
      const { connectionId, grantEpoch } = resolution.target
      return connectionId === target.connectionId && grantEpoch === target.grantEpoch ? null : { error: null }
    } catch (error) {
      return isAppError(error) && refusals.has(error.code) ? { error } : 'unknown'
    }
  }

  /** One question for all calls of one credential at one connector and grant. */
  async function lookInto(isAffected: (call: UnderWay) => boolean): Promise<void> {
    const groups = new Map<string, UnderWay[]>()
    visit((call) => {
      if (!isAffected(call)) return
      const { connectorId, connectionId, grantEpoch } = call.target
      const key = [call.request.headers.authorization, connectorId, connectionId, grantEpoch].join(' ')
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [call])
      else group.push(call)
    })
    const waiting = [...groups.values()]
    const work = async (): Promise<void> => {
      for (let group = waiting.pop(); group !== undefined; group = waiting.pop()) {
        const [first] = group
        const verdict = first === undefined ? null : await judge(first)
        if (verdict === 'unknown') isDue = true
        else if (verdict !== null) for (const call of group) end(call, verdict.error)
      }
    }
    await Promise.all(Array.from({ length: maxAtOnce }, work))
  }

  async function sweep(): Promise<void> {
    const now = clock.now()
    visit((call) => {
      const { expiresAt } = call.caller
      if (expiresAt !== null && expiresAt <= now) end(call, new AppError('unauthenticated', 'credential expired'))
    })
    if (isLooking || (changes.isLive() && !isDue)) return
    isLooking = true
    isDue = false
    await lookInto(() => true)
    isLooking = false
  }

  const timer = setInterval(() => void sweep(), sweepMs).unref()
  const unsubscribe = changes.subscribe({
    onChange: ({ kind, ids: [id, connectionId] }) => {
      if (kind === 'api_key' || kind === 'host_grant') void lookInto(({ caller }) => caller.credentialId === id)
      else if (kind === 'principal') void lookInto(({ caller }) => caller.principal.id === id)
      else if (kind === 'connector') void lookInto(({ target }) => target.connectorId === id)
      else if (kind === 'grant') void lookInto(({ target }) => target.connectionId === connectionId)
      else if (kind === 'signing_key') void lookInto(() => true)
    },
    onLost: () => {},
    // what happened in between was not told
    onLive: () => void lookInto(() => true),
  })
  return () => {
    clearInterval(timer)
    unsubscribe()
  }
}
