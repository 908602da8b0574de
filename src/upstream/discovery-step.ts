import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { DocumentAnswer } from './json-document.ts'

/**
 * What became of one document that discovery asked for. `absent`: a 4xx, or a page instead of JSON. `invalid`: JSON, but
 * not such a document, or one with endpoints that must not be used. The mismatches: metadata that speaks for another
 * resource or issuer. `blocked`: refused by our egress guard.
 */
export const stepVerdicts = [
  'used',
  'absent',
  'invalid',
  'resource_mismatch',
  'issuer_mismatch',
  'unavailable',
  'timeout',
  'blocked',
] as const
export type StepVerdict = (typeof stepVerdicts)[number]

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
