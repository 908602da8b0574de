import { join } from 'node:path'
import type { Settings } from '../config/settings.ts'
import type { Timings } from '../config/timings.ts'
import type { FindClient } from '../connections/choose-client.ts'
import type { DueStore } from '../connections/due-store.ts'
import type { ExpireAccess } from '../connections/expire-access.ts'
import type { IssuerGate } from '../connections/issuer-gate.ts'
import { createIssuerKeeper } from '../connections/issuer-keeper.ts'
import type { IssuerStore } from '../connections/issuer-store.ts'
import { createLeaseKeeper } from '../connections/lease-keeper.ts'
import type { LeaseStore } from '../connections/lease-store.ts'
import { createRefreshConnection } from '../connections/refresh-connection.ts'
import type { ReachFaultPoint } from '../connections/refresh-result.ts'
import { createRenewLeased } from '../connections/renew-leased.ts'
import { createRunRefreshes } from '../connections/run-refreshes.ts'
import { createSpill } from '../connections/spill.ts'
import type { ConnectionStore, RegistrationStore } from '../connections/store.ts'
import type { Clock } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import { createLimit } from '../kernel/limit.ts'
import type { Background } from '../log/background.ts'
import type { Logger } from '../log/logger.ts'
import type { RefreshMetrics } from '../metrics/refresh-metrics.ts'
import { createSpillRedis } from '../queue/spill-redis.ts'
import { createSpillFiles } from '../storage/spill-files.ts'
import type { TokenEndpoint } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'

/** What tests put in place of parts of ours. No setting of the product leads here. */
export type RefreshParts = {
  /** Around the leases: a negative control hands out one to everybody. */
  readonly leases?: (real: LeaseStore) => LeaseStore
  /** Stops the process at a fault point. */
  readonly reach?: ReachFaultPoint
  readonly gate?: IssuerGate
}

type Deps = {
  readonly settings: Pick<Settings, 'DATA_DIR' | 'REDIS_URL' | 'REFRESH_CONCURRENCY'>
  readonly timings: Timings['refresh']
  readonly leases: LeaseStore
  readonly issuers: IssuerStore
  readonly due: DueStore
  readonly connections: ConnectionStore
  readonly registrations: RegistrationStore
  readonly tokenEndpoint: TokenEndpoint
  readonly findClient: FindClient
  readonly expireAccess: ExpireAccess
  readonly background: Background
  readonly log: Logger
  readonly metrics: RefreshMetrics
  readonly vault: Vault
  readonly clock: Clock
  readonly random: () => number
  readonly parts: RefreshParts
}

/** Everything that renews grants, wired: part of the composition root. One for each process. */
export function composeRefresh({ settings, timings, parts, ...deps }: Deps) {
  const { clock, background, random, log, due } = deps
  const monotonic = () => performance.now()
  const leases = parts.leases?.(deps.leases) ?? deps.leases
  const issuerKeeper = createIssuerKeeper({
    issuers: deps.issuers,
    clock,
    monotonic,
    random,
    rejectionLimits: timings.rejections,
    timings: timings.places,
  })
  const gate = parts.gate ?? issuerKeeper
  const owner = newId()
  const keeper = createLeaseKeeper({ leases, clock, monotonic, owner, timings })
  const redis = settings.REDIS_URL === undefined ? null : createSpillRedis(settings.REDIS_URL)
  const places = [createSpillFiles(join(settings.DATA_DIR, 'spill')), ...(redis === null ? [] : [redis])]
  const spill = createSpill({ leases, owner, places, background, clock, metrics: deps.metrics })
  const reach = parts.reach ?? (async () => {})
  const renewLeased = createRenewLeased({ ...deps, leases, keeper, gate, spill, reach })
  const refreshConnection = createRefreshConnection({
    ...deps,
    leases,
    keeper,
    renewLeased,
    gate,
    spill,
    timings,
  })
  const runRefreshes = createRunRefreshes({
    due,
    issuers: issuerKeeper,
    leases: keeper,
    renewLeased,
    expireAccess: deps.expireAccess,
    reach,
    limit: createLimit(settings.REFRESH_CONCURRENCY),
    clock,
    monotonic,
    metrics: deps.metrics,
    onMistake: ({ connection: { id } }, err) =>
      log.error({ err, connectionId: id }, 'refresh failed for no good reason'),
    timings: timings.run,
  })
  return {
    /** What is due, for the sweep ... */
    due,
    /** ... and what becomes of it. */
    runRefreshes,
    /** For somebody who waits for one connection. */
    refreshConnection,
    /** The two halves of a run: leases in batches, and one renewal for each. */
    keeper,
    renewLeased,
    gate,
    spill,
    /** Lets what waits for the database be stored, and gives the heartbeat up. */
    async close(): Promise<void> {
      await spill.drain(timings.spillMs)
      keeper.close()
      issuerKeeper.close()
      redis?.close()
    },
  }
}
