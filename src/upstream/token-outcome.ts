import { mayHaveBeenSent } from '../egress/egress-failure.ts'
import { type AppError, isAppError } from '../kernel/app-error.ts'
import { parseJsonObject } from './json-document.ts'
import { parseRetryAfter } from './retry-after.ts'
import { readTokenResponse, type TokenSet } from './token-response.ts'

/** What a token endpoint sent back, or how the request failed. */
export type TokenAnswer =
  | { readonly kind: 'failure'; readonly error: AppError }
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly retryAfter: string | null
      /** When it was read. */
      readonly at: Date
    }

/** What an answer means for the grant. Only `rejected` says that the grant itself is over. */
export type TokenOutcome =
  | { readonly kind: 'ok'; readonly tokens: TokenSet }
  | {
      readonly kind: 'transient'
      /** True when the server may have acted on the request: a rotated token may have been issued and lost. */
      readonly isAmbiguous: boolean
      readonly retryAfterMs?: number
      readonly reason: TransientReason
    }
  | { readonly kind: 'rejected'; readonly error: string }
  | { readonly kind: 'client_rejected'; readonly error: string }
  | { readonly kind: 'config'; readonly error: string }
  | { readonly kind: 'malformed' }

export type TransientReason = 'upstream_unreachable' | 'upstream_timeout' | 'upstream_error' | 'egress_blocked'

type Facts = {
  readonly failure: AppError | undefined
  readonly status: number
  readonly error: string | undefined
  readonly retryAfterMs: number | undefined
  readonly tokens: TokenSet | null
}

type Row = { readonly when: (facts: Facts) => boolean; readonly means: (facts: Facts) => TokenOutcome }

/** Besides the codes of RFC 6749 section 5.2, those that GitHub, Slack and others send instead. */
const errorCodes: Readonly<Record<string, 'rejected' | 'client_rejected' | 'config' | 'transient'>> = {
  invalid_grant: 'rejected',
  bad_refresh_token: 'rejected',
  invalid_refresh_token: 'rejected',
  bad_verification_code: 'rejected',
  invalid_code: 'rejected',
  token_expired: 'rejected',
  token_revoked: 'rejected',
  invalid_client: 'client_rejected',
  unauthorized_client: 'client_rejected',
  incorrect_client_credentials: 'client_rejected',
  bad_client_secret: 'client_rejected',
  invalid_client_id: 'client_rejected',
  invalid_request: 'config',
  invalid_scope: 'config',
  invalid_target: 'config',
  unsupported_grant_type: 'config',
  redirect_uri_mismatch: 'config',
  server_error: 'transient',
  temporarily_unavailable: 'transient',
  slow_down: 'transient',
}

const transient =
  (isAmbiguous: boolean, reason: TransientReason) =>
  (facts: Facts): TokenOutcome => ({
    kind: 'transient',
    isAmbiguous,
    reason,
    ...(facts.retryAfterMs === undefined ? {} : { retryAfterMs: facts.retryAfterMs }),
  })
const named = (kind: 'rejected' | 'client_rejected' | 'config') => ({
  when: ({ error }: Facts) => error !== undefined && errorCodes[error] === kind,
  means: ({ error }: Facts): TokenOutcome => ({ kind, error: error ?? '' }),
})
const hasFailed = (code: Parameters<typeof isAppError>[1]) => (facts: Facts) => isAppError(facts.failure, code)
const isOneOf =
  (...statuses: readonly number[]) =>
  (facts: Facts) =>
    statuses.includes(facts.status)

/** What each answer of a token endpoint means for the grant. The first row that fits decides. */
const table: readonly Row[] = [
  { when: hasFailed('egress_blocked'), means: transient(false, 'egress_blocked') },
  { when: hasFailed('upstream_protocol_error'), means: () => ({ kind: 'malformed' }) },
  {
    when: (facts) => hasFailed('upstream_timeout')(facts) && !mayHaveBeenSent(facts.failure),
    means: transient(false, 'upstream_timeout'),
  },
  { when: hasFailed('upstream_timeout'), means: transient(true, 'upstream_timeout') },
  {
    when: ({ failure }) => failure !== undefined && !mayHaveBeenSent(failure),
    means: transient(false, 'upstream_unreachable'),
  },
  { when: ({ failure }) => failure !== undefined, means: transient(true, 'upstream_unreachable') },
  { when: isOneOf(429), means: transient(false, 'upstream_error') },
  {
    when: (facts) => facts.status === 503 && facts.retryAfterMs !== undefined,
    means: transient(false, 'upstream_error'),
  },
  { when: (facts) => facts.status >= 500 || isOneOf(408, 425)(facts), means: transient(true, 'upstream_error') },
  named('rejected'),
  named('client_rejected'),
  named('config'),
  {
    when: ({ error }) => error !== undefined && errorCodes[error] === 'transient',
    means: transient(false, 'upstream_error'),
  },
  // An OAuth error that nobody knows: tried again a few times, then given up.
  { when: ({ error }) => error !== undefined, means: () => ({ kind: 'malformed' }) },
  // A 4xx that is not in the protocol's words comes from something in between: a firewall, a proxy.
  { when: ({ status }) => status >= 400, means: transient(false, 'upstream_error') },
  { when: ({ tokens }) => tokens === null, means: () => ({ kind: 'malformed' }) },
]

/** Whether a client would do better to register anew; one that may not do what it asked for would not. */
export function isClientUnknown(outcome: TokenOutcome): boolean {
  return outcome.kind === 'client_rejected' && outcome.error !== 'unauthorized_client'
}

/** Judges the answer of a token endpoint by the table. Errors count whatever the status: some send them with 200. */
export function classifyTokenAnswer(answer: TokenAnswer): TokenOutcome {
  const facts = toFacts(answer)
  const row = table.find(({ when }) => when(facts))
  if (row !== undefined) return row.means(facts)
  return facts.tokens === null ? { kind: 'malformed' } : { kind: 'ok', tokens: facts.tokens }
}

function toFacts(answer: TokenAnswer): Facts {
  if (answer.kind === 'failure') {
    return { failure: answer.error, status: 0, error: undefined, retryAfterMs: undefined, tokens: null }
  }
  const document = parseJsonObject(answer.body)
  return {
    failure: undefined,
    status: answer.status,
    error: readErrorCode(document?.error),
    retryAfterMs: parseRetryAfter(answer.retryAfter, answer.at),
    tokens: document === null || answer.status > 299 ? null : readTokenResponse(document),
  }
}

/** An error of another alphabet than the RFC's is still an error, but its text goes nowhere. */
function readErrorCode(error: unknown): string | undefined {
  if (error === undefined || error === '' || error === false) return undefined
  return typeof error === 'string' && /^[a-zA-Z0-9_.-]{1,64}$/.test(error) ? error : 'unreadable'
}
