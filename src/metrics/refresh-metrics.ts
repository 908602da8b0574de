import { Counter, Histogram, type Registry } from 'prom-client'
import { durationBuckets } from './buckets.ts'

/** How one attempt to renew a grant ended, whoever asked for it. */
export type RefreshEnd =
  /** A new token is stored. */
  | 'ok'
  /** Another process renewed it meanwhile; its result is used. */
  | 'adopted'
  /** The token was refused, since another process had just spent it; its result is used. */
  | 'race_recovered'
  /** Not now; it is tried again later. */
  | 'transient'
  /** The issuer is paused, so nothing was sent. */
  | 'paused'
  /** The grant is over. */
  | 'ended'
  /** Another process was still at it when the time to wait was up. */
  | 'busy'
  /** Something of ours failed: the database, or a defect. */
  | 'error'

/** Who wanted a refresh: the schedule, or somebody who waits for it. */
export type RefreshWay = 'scheduled' | 'awaited'

export type RefreshMetrics = {
  /** A lease was taken, and the attempt begins. */
  began(way: RefreshWay): void
  /**
   * An attempt failed.
   *
   * @param failure a `FailureClass`: the row of the outcome table
   */
  failed(failure: string): void
  finished(end: RefreshEnd): void
  /** The same token was sent a second time, since no answer came to the first. */
  retriedAmbiguous(): void
  /** A rotated token is gone for good: `refresh_result_lost`. */
  resultLost(): void
  /**
   * A connection was disconnected by us, not by a person.
   *
   * @param reason a `DisconnectCode`
   */
  disconnected(reason: string): void
  /** @param ms how long somebody waited for another process's lease, milliseconds */
  waitedForLease(ms: number): void
  /** @param ms how long the authorization server took, milliseconds */
  asked(ms: number): void
  /** @param lateMs how much later than planned a due connection was claimed, milliseconds */
  claimed(lateMs: number): void
  /** The database did not take a result; it was written to the spill. */
  spilled(): void
}

export function createRefreshMetrics(registry: Registry): RefreshMetrics {
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter<L>({ name, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets = durationBuckets) =>
    new Histogram({ name, help, buckets, registers })

  const began = counter(
    'patchbay_refresh_started_total',
    'Attempts to renew a grant that this process began, by who wanted it (scheduled, awaited).',
    'way',
  )
  const failed = counter('patchbay_refresh_failures_total', 'Attempts that failed, by class of failure.', 'class')
  const finished = counter('patchbay_refresh_total', 'Attempts to renew a grant, by how they ended.', 'outcome')
  const ambiguous = counter(
    'patchbay_refresh_ambiguous_retries_total',
    'Token requests that were sent twice, since the first got no answer.',
  )
  const lost = counter('patchbay_refresh_lost_total', 'Rotated tokens that were lost for good.')
  const disconnected = counter(
    'patchbay_refresh_terminal_total',
    'Connections that Patchbay had to disconnect, by reason.',
    'reason',
  )
  const leaseWait = histogram('patchbay_refresh_lease_wait_seconds', "Waiting for another process's refresh.")
  const asked = histogram('patchbay_refresh_token_request_seconds', 'How long authorization servers took to answer.')
  const late = histogram(
    'patchbay_refresh_claim_delay_seconds',
    'How much later than planned due connections were claimed.',
    [1, 5, 10, 30, 60, 120, 300, 900, 3600],
  )
  const spilled = counter('patchbay_refresh_spilled_total', 'Results that the database could not take at once.')
  return {
    began: (way) => began.inc({ way }),
    failed: (failure) => failed.inc({ class: failure }),
    finished: (outcome) => finished.inc({ outcome }),
    retriedAmbiguous: () => ambiguous.inc(),
    resultLost: () => lost.inc(),
    disconnected: (reason) => disconnected.inc({ reason }),
    waitedForLease: (ms) => leaseWait.observe(ms / 1000),
    asked: (ms) => asked.observe(ms / 1000),
    claimed: (lateMs) => late.observe(Math.max(0, lateMs) / 1000),
    spilled: () => spilled.inc(),
  }
}
