import type { Secret } from '../kernel/secret.ts'
import { createPrismaAccessStore } from './access-store.ts'
import { createPostgresAuditStore } from './audit-store.ts'
import {
  createPrismaArtifactStore,
  createPrismaClientDocumentStore,
  createPrismaOauthClientStore,
  createPrismaRateCounter,
} from './authorization-server-stores.ts'
import { createPostgresCallCountStore } from './call-count-store.ts'
import { createPrismaConnectionStore } from './connection-store.ts'
import { createPrismaConnectorStore } from './connector-store.ts'
import { createDatabaseState } from './database-state.ts'
import { createPrismaDeliveryStore } from './delivery-store.ts'
import { createPostgresDueStore } from './due-store.ts'
import { createPrismaEventStore } from './event-store.ts'
import { createPrismaFlowStore, createPrismaRegistrationStore, createPrismaTicketStore } from './flow-stores.ts'
import { createPrismaGrantStore } from './grant-store.ts'
import { createPostgresHousekeepingStore } from './housekeeping-store.ts'
import { createPostgresIssuerStore, type IssuerLimits } from './issuer-store.ts'
import { createPrismaKeyStore } from './key-stores.ts'
import { createLateAnnouncements } from './late-announcements.ts'
import { createPostgresLeaseStore } from './lease-store.ts'
import { createPrismaPersonStore } from './person-store.ts'
import { createPrismaPresetPinStore } from './preset-pin-store.ts'
import { openDatabase, openPool } from './prisma-client.ts'
import { tellingUnavailability } from './unavailability.ts'
import { createPrismaWebhookStore } from './webhook-store.ts'

export type StorageOptions = {
  readonly url: Secret
  /** Connections at most. */
  readonly poolSize: number
  /** How long anybody waits for a connection and then for a lock. */
  readonly waitMs: number
  readonly issuerLimits: IssuerLimits
  /** Told whenever the database was out of reach, read-only, or out of connections. */
  readonly onUnavailable: () => void
}

/** Everything that a process keeps in PostgreSQL. */
export type Storage = ReturnType<typeof openStorage>

/**
 * Every store over one pool of connections, which are made when first needed. What the stores throw where the database cannot
 * be used now is AppError `storage_unavailable`, whatever Prisma and pg call it.
 */
export function openStorage({ url, poolSize, waitMs, issuerLimits, onUnavailable }: StorageOptions) {
  const pool = openPool({ url, poolSize, waitMs })
  const database = openDatabase(pool)
  const announcements = createLateAnnouncements(pool)
  const told = <Store extends object>(store: Store): Store => tellingUnavailability(store, onUnavailable)
  return {
    access: told(createPrismaAccessStore(database, pool)),
    audit: told(createPostgresAuditStore(pool)),
    clientKeys: told(createPrismaKeyStore(database, 'client')),
    signingKeys: told(createPrismaKeyStore(database, 'tokens')),
    oauthClients: told(createPrismaOauthClientStore(database)),
    clientDocuments: told(createPrismaClientDocumentStore(database)),
    artifacts: told(createPrismaArtifactStore(database)),
    rates: told(createPrismaRateCounter(database)),
    people: told(createPrismaPersonStore(database)),
    grants: told(createPrismaGrantStore(database)),
    connectors: told(createPrismaConnectorStore(database, pool)),
    connections: told(createPrismaConnectionStore(database, pool)),
    leases: told(createPostgresLeaseStore(pool, announcements)),
    issuers: told(createPostgresIssuerStore(pool, issuerLimits)),
    due: told(createPostgresDueStore(pool, issuerLimits.slotsPerIssuer)),
    tickets: told(createPrismaTicketStore(database)),
    flows: told(createPrismaFlowStore(database)),
    registrations: told(createPrismaRegistrationStore(database)),
    events: told(createPrismaEventStore(database)),
    callCounts: told(createPostgresCallCountStore(pool)),
    webhooks: told(createPrismaWebhookStore(database)),
    deliveries: told(createPrismaDeliveryStore(database)),
    presetPins: told(createPrismaPresetPinStore(database)),
    housekeeping: told(createPostgresHousekeepingStore(pool)),
    /** What can be said of the database itself. */
    state: createDatabaseState(pool),
    /** How many connections there are, and how many requests wait for one. */
    connectionCounts: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    async close(): Promise<void> {
      await announcements.close()
      await database.$disconnect()
      await pool.end()
    },
  }
}
