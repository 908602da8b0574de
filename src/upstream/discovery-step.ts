import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { DocumentAnswer } from './json-document.ts'

/** What became of one document that discovery asked for. */
export type StepVerdict =
  | 'used'
  /** A 4xx, or a page instead of JSON. */
  | 'absent'
  /** JSON, but not such a document, or one with endpoints that must not be used. */
  | 'invalid'
  /** Metadata that speaks for another resource. */
  | 'resource_mismatch'
  /** Metadata that speaks for another issuer. */
  | 'issuer_mismatch'
  | 'unavailable'
  | 'timeout'
  /** Refused by our egress guard. */
  | 'blocked'

/** One document that discovery asked for, for reports (the doctor) and the log. */
export type DiscoveryStep = {
  readonly document: 'protected_resource_metadata' | 'authorization_server_metadata'
  /** Where the address came from: the challenge, the well-known rule by path, or at the root. */
  readonly source: 'challenge' | 'path' | 'root'
  readonly url: string
  readonly status?: number
  readonly verdict: StepVerdict
}

/** What the steps of one discovery share. */
export type DiscoveryContext = {
  readonly fetch: GuardedFetch
  /** Milliseconds left for the next request; throws `upstream_timeout` when there are none. */
  readonly remainingMs: () => number
  readonly report: (step: DiscoveryStep) => void
}

/** The end of a step whose answer brought no document. */
export function failedStep(
  answer: Exclude<DocumentAnswer, { kind: 'document' }>,
): Pick<DiscoveryStep, 'status' | 'verdict'> {
  if (answer.kind === 'blocked') return { verdict: 'blocked' }
  if (answer.kind === 'absent') return { status: answer.status, verdict: 'absent' }
  const verdict = answer.isTimeout ? 'timeout' : 'unavailable'
  return answer.status === undefined ? { verdict } : { status: answer.status, verdict }
}

/** False when asking again later could come to another result. */
export function isSettled({ verdict }: DiscoveryStep): boolean {
  return verdict !== 'unavailable' && verdict !== 'timeout' && verdict !== 'blocked'
}
