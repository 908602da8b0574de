import { addMs } from '../kernel/clock.ts'
import type { TokenOutcome } from '../upstream/token-outcome.ts'
import type { Connection, DisconnectCode } from './connection.ts'
import { retryDelayMs } from './schedule.ts'

const outcomeClasses = [
  'ok',
  'transient_safe',
  'ambiguous',
  'transient',
  'terminal',
  'terminal_client',
  'terminal_registration',
  'terminal_config',
  'protocol',
  'internal',
] as const
/** What sort of end a refresh came to: the rows of the table below. */
export type OutcomeClass = (typeof outcomeClasses)[number]
export type FailureClass = Exclude<OutcomeClass, 'ok'>

/** When failing comes to an end: at once, after so many in a row, so long after the first, or with the access token. */
type Patience =
  | { readonly kind: 'none' }
  | { readonly kind: 'attempts'; readonly count: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'access_token' }

export type OutcomeRule = {
  /** Whether the server may have used up the refresh token, and the answer with its successor is lost. */
  readonly mayHaveSpentToken: boolean
  /** How often the same request is sent once more at once: most servers take the same token again within a short grace. */
  readonly immediateRetries: 0 | 1
  /** When to try again where the server does not say (`Retry-After` always wins). */
  readonly retry: 'backoff' | 'slow'
  /** Null: for ever. */
  readonly patience: Patience | null
  /** What becomes of the connection when patience is at its end: the reason it is disconnected for, or nothing but waiting. */
  readonly end: DisconnectCode | 'parked' | null
  /** Whether it says something about the authorization server, not about this grant: counts for its breaker. */
  readonly isIssuerTrouble: boolean
  /** Whether calls wait for the scheduled time as well, in place of trying at once. A person who asks for it never waits. */
  readonly isHeldOnDemand: boolean
}

const dayMs = 86_400_000
const slowRetryMs = 900_000
/** How long an access token is taken to work on whose lifetime nobody stated. */
const assumedLifetimeMs = 3_600_000

const waiting = { mayHaveSpentToken: false, immediateRetries: 0, retry: 'backoff', patience: null, end: null } as const
const ending = { ...waiting, isIssuerTrouble: false, isHeldOnDemand: true } as const

/** What each class of failure means. Only the server's word, or a person's, ends a grant: nothing transient ever does. */
export const outcomeRules: Readonly<Record<FailureClass, OutcomeRule>> = {
  // DNS, connect, TLS: no byte of the request left
  transient_safe: { ...waiting, isIssuerTrouble: true, isHeldOnDemand: false },
  // bytes were sent and no answer came, or 408, 425, 5xx
  ambiguous: {
    ...waiting,
    mayHaveSpentToken: true,
    immediateRetries: 1,
    isIssuerTrouble: true,
    isHeldOnDemand: false,
  },
  // 429, 503 with Retry-After, a refusal that is not in OAuth's words
  transient: { ...waiting, isIssuerTrouble: true, isHeldOnDemand: false },
  // invalid_grant
  terminal: { ...ending, patience: { kind: 'none' }, end: 'refresh_token_rejected' },
  // invalid_client, of a client that was given to us: its secret may be mis-deployed for a while
  terminal_client: { ...ending, retry: 'slow', patience: { kind: 'time', ms: dayMs }, end: 'client_rejected' },
  // invalid_client, of a client that we registered: it does not come back
  terminal_registration: { ...ending, patience: { kind: 'none' }, end: 'client_rejected' },
  // invalid_request, invalid_scope, unsupported_grant_type
  terminal_config: { ...ending, retry: 'slow', patience: { kind: 'access_token' }, end: 'refresh_config_error' },
  // no token response: nothing that is stored is overwritten by it
  protocol: { ...ending, patience: { kind: 'attempts', count: 5 }, end: 'malformed_token_response' },
  // ours: a secret that does not open, a mistake; no reason to end anybody's grant
  internal: { ...ending, isHeldOnDemand: false, patience: { kind: 'attempts', count: 5 }, end: 'parked' },
}

/** The class of a failure at the token endpoint. */
export function classOf(
  outcome: Exclude<TokenOutcome, { kind: 'ok' }>,
  clientSource: Connection['clientSource'],
): FailureClass {
  switch (outcome.kind) {
    case 'transient':
      if (outcome.isAmbiguous) return 'ambiguous'
      return outcome.reason === 'upstream_error' ? 'transient' : 'transient_safe'
    case 'rejected':
      return 'terminal'
    case 'client_rejected':
      return clientSource === 'registration' ? 'terminal_registration' : 'terminal_client'
    case 'config':
      return 'terminal_config'
    case 'malformed':
      return 'protocol'
  }
}

/** The stable code that `last_error` gives for a failure. */
export function errorCodeOf(failure: FailureClass, outcome: TokenOutcome | null): string {
  if (outcome?.kind === 'transient') return outcome.reason
  const { end } = outcomeRules[failure]
  return end === null || end === 'parked' ? 'internal' : end
}

export type Failure = {
  readonly failure: FailureClass
  readonly code: string
  readonly at: Date
  readonly retryAfterMs?: number | undefined
  /** Whether the refresh token may have been used up by an attempt whose answer is lost, this one or an earlier one. */
  readonly isResultLost: boolean
  /** In [0, 1) */
  readonly random: number
}

/** What is to become of a connection after a failure. `attempts` and `since` count failures of the same code in a row. */
export type Verdict = { readonly attempts: number; readonly since: Date } & (
  | { readonly kind: 'retry'; readonly at: Date }
  | { readonly kind: 'end'; readonly code: DisconnectCode }
  | { readonly kind: 'park' }
)

/** Reads the table for one connection. */
export function judgeFailure(connection: Connection, failed: Failure): Verdict {
  const rule = outcomeRules[failed.failure]
  const isSame = connection.failingSince !== null && connection.lastError?.code === failed.code
  const attempts = isSame ? (connection.lastError?.attempts ?? 0) + 1 : 1
  const since = isSame && connection.failingSince !== null ? connection.failingSince : failed.at
  const run = { attempts, since }
  const until = patienceUntil(rule.patience, connection, since)
  const isOver = rule.patience?.kind === 'attempts' ? attempts >= rule.patience.count : until <= failed.at
  if (isOver && rule.end === 'parked') return { ...run, kind: 'park' }
  if (isOver && rule.end !== null && rule.end !== 'parked') {
    const isLost = rule.end === 'refresh_token_rejected' && failed.isResultLost
    return { ...run, kind: 'end', code: isLost ? 'refresh_result_lost' : rule.end }
  }
  const waitMs = rule.retry === 'slow' ? slowRetryMs : retryDelayMs(connection.failCount + 1, failed.random)
  const at = addMs(failed.at, failed.retryAfterMs ?? waitMs)
  // the last try of those that are patient with something is at its very end
  return { ...run, kind: 'retry', at: at < until || failed.retryAfterMs !== undefined ? at : until }
}

const never = new Date(8.64e15)

function patienceUntil(patience: Patience | null, { accessExpiresAt }: Connection, since: Date): Date {
  switch (patience?.kind) {
    case 'none':
      return since
    case 'time':
      return addMs(since, patience.ms)
    case 'access_token':
      return accessExpiresAt ?? addMs(since, assumedLifetimeMs)
    default:
      return never
  }
}

/** Whether calls wait for a connection's scheduled next attempt (`isHeldOnDemand`), by the failure that it last met. */
export function mustWaitItsTurn({ failCount, lastError, nextRefreshAt }: Connection, now: Date): boolean {
  if (failCount === 0 || lastError === null || nextRefreshAt === null || nextRefreshAt <= now) return false
  return Object.values(outcomeRules).some(({ end, isHeldOnDemand }) => isHeldOnDemand && end === lastError.code)
}
