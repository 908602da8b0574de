import { addMs, type Clock } from '../kernel/clock.ts'
import { keyPurposes } from '../vault/signing-keys.ts'

/** What grows with use and is of no use after a while. */
export const choreNames = [
  'tickets',
  'flows',
  'connect_tokens',
  'person_sessions',
  'rate_counts',
  'oauth_artifacts',
  'oauth_clients',
  'grants',
  'webhook_deliveries',
  'events',
  'call_counts',
  'signing_keys',
  'client_keys',
  'audit_entries',
] as const
export type ChoreName = (typeof choreNames)[number]

/** Deletes what is over. */
export type HousekeepingStore = {
  /** Deletes at most `limit` rows that were over before `before`, and returns how many. Rows that somebody works on are left. */
  remove(chore: ChoreName, before: Date, limit: number): Promise<number>
}

type Deps = {
  readonly store: HousekeepingStore
  readonly clock: Clock
  /** How long after its end something is kept: the settings. */
  readonly keptDays: Readonly<Record<'events' | 'deliveries' | 'analytics' | 'audit', number>>
  /** Rows per statement (default 500), and statements per chore and run (default 20). */
  readonly batchSize?: number
  readonly maxBatches?: number
}

const dayMs = 86_400_000

/**
 * Deletes what is over, in bounded batches (REL-27). Several processes may do it at once.
 *
 * @returns how many rows of each kind were deleted; kinds without any are left out
 */
export function createKeepHouse({ store, clock, keptDays, batchSize = 500, maxBatches = 20 }: Deps) {
  // A late visitor should still be told that a link is over, and not that it never was.
  const keptMs: Readonly<Record<ChoreName, number>> = {
    tickets: dayMs,
    flows: dayMs,
    connect_tokens: dayMs,
    person_sessions: 0,
    rate_counts: 0,
    oauth_artifacts: dayMs / 24,
    oauth_clients: 0,
    grants: keptDays.events * dayMs,
    webhook_deliveries: keptDays.deliveries * dayMs,
    events: keptDays.events * dayMs,
    call_counts: keptDays.analytics * dayMs,
    signing_keys: keyPurposes.tokens.keptMs,
    client_keys: keyPurposes.client.keptMs,
    audit_entries: keptDays.audit * dayMs,
  }

  return async (): Promise<Partial<Record<ChoreName, number>>> => {
    const removed: Partial<Record<ChoreName, number>> = {}
    for (const chore of choreNames) {
      const before = addMs(clock.now(), -keptMs[chore])
      for (let batch = 0; batch < maxBatches; batch += 1) {
        const count = await store.remove(chore, before, batchSize)
        if (count > 0) removed[chore] = (removed[chore] ?? 0) + count
        if (count < batchSize) break
      }
    }
    return removed
  }
}
