import { join } from 'node:path'
import type { Settings } from './config/settings.ts'
import type { Timings } from './config/timings.ts'
import type { FindClient } from './connections/choose-client.ts'
import { type IssuerGate, openGate } from './connections/issuer-gate.ts'
import { createLeaseKeeper } from './connections/lease-keeper.ts'
import type { LeaseStore } from './connections/lease-store.ts'
import { createRefreshConnection } from './connections/refresh-connection.ts'
import type { ReachFaultPoint } from './connections/refresh-result.ts'
import { createRenewLeased } from './connections/renew-leased.ts'
import { createSpill } from './connections/spill.ts'
import type { ConnectionStore, RegistrationStore } from './connections/store.ts'
import type { Clock } from './kernel/clock.ts'
import { newId } from './kernel/id.ts'
import type { Background } from './log/background.ts'
import type { Logger } from './log/logger.ts'
import type { RefreshMetrics } from './metrics/refresh-metrics.ts'
import { createSpillRedis } from './queue/spill-redis.ts'
import { createSpillFiles } from './storage/spill-files.ts'
import type { TokenEndpoint } from './upstream/token-endpoint.ts'
import type { Vault } from './vault/vault.ts'

/** What tests put in place of parts of ours. No setting of the product leads here. */
export type RefreshParts = {
  /** Around the leases: a negative control hands out one to everybody. */
  readonly leases?: (real: LeaseStore) => LeaseStore
  /** Stops the process at a fault point. */
  readonly reach?: ReachFaultPoint
  readonly gate?: IssuerGate
}

type Deps = {
  readonly settings: Pick<Settings, 'DATA_DIR' | 'REDIS_URL'>
  readonly timings: Timings['refresh']
  readonly leases: LeaseStore
  readonly connections: ConnectionStore
  readonly registrations: RegistrationStore
  readonly tokenEndpoint: TokenEndpoint
  readonly findClient: FindClient
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
  const { clock, background } = deps
  const leases = parts.leases?.(deps.leases) ?? deps.leases
  const gate = parts.gate ?? openGate
  const owner = newId()
  const keeper = createLeaseKeeper({ leases, clock, monotonic: () => performance.now(), owner, timings })
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
  return {
    /** For somebody who waits for one connection. */
    refreshConnection,
    /** For runs: takes leases in batches ... */
    keeper,
    /** ... and renews each. */
    renewLeased,
    gate,
    spill,
    reach,
    /** Lets what waits for the database be stored, and gives the heartbeat up. */
    async close(): Promise<void> {
      await spill.drain(timings.spillMs)
      keeper.close()
      redis?.close()
    },
  }
}
