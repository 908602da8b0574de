import type { Facts } from './report.ts'

/** True when our egress guard refused something that the doctor asked for. */
export function isAnythingBlocked({ probe, documents }: Facts): boolean {
  return probe.outcome === 'blocked' || documents.some(({ verdict }) => verdict === 'blocked')
}

/** The same report for those who may not learn which addresses our guard refuses. */
export function withoutGuard(facts: Facts): Facts {
  return {
    ...facts,
    probe: facts.probe.outcome === 'blocked' ? { ...facts.probe, outcome: 'unreachable' } : facts.probe,
    documents: facts.documents.map((step) => (step.verdict === 'blocked' ? { ...step, verdict: 'unavailable' } : step)),
  }
}
