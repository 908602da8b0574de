import type {
  Artifact,
  ArtifactKind,
  ArtifactStore,
  ClientDocumentStore,
  OauthClientStore,
  RateCounter,
  RegisteredClient,
} from '../authorization-server/store.ts'
import { addMs } from '../kernel/clock.ts'
import type { OauthArtifact as ArtifactRow, OauthClient as ClientRow } from './generated/client.ts'
import type { Database } from './prisma-client.ts'

const toClient = ({ metadata, ...row }: ClientRow): RegisteredClient => ({
  ...row,
  metadata: metadata as unknown as RegisteredClient['metadata'],
})

/** Hosts that registered themselves, or that an operator made known, in PostgreSQL. */
export function createPrismaOauthClientStore(database: Database): OauthClientStore {
  return {
    async add({ metadata, ...client }) {
      await database.oauthClient.create({ data: { ...client, metadata: { ...metadata } as object } })
    },

    async find(clientId) {
      const row = await database.oauthClient.findUnique({ where: { clientId } })
      return row === null ? null : toClient(row)
    },

    async change({ clientId, metadata, secretHash }) {
      const data = { metadata: { ...metadata } as object, secretHash }
      await database.oauthClient.updateMany({ where: { clientId }, data })
    },

    remove: (clientId, now) =>
      database.$transaction(async (transaction) => {
        const { count } = await transaction.oauthClient.deleteMany({ where: { clientId } })
        if (count === 0) return false
        await transaction.grant.updateMany({
          where: { clientId, revokedAt: null },
          data: { revokedAt: now, revokeReason: 'client' },
        })
        return true
      }),

    listPreMade: async () =>
      (await database.oauthClient.findMany({ where: { isPreMade: true }, orderBy: { createdAt: 'asc' } })).map(
        toClient,
      ),

    async keepUntil(clientId, expiresAt) {
      await database.oauthClient.updateMany({ where: { clientId, expiresAt: { lt: expiresAt } }, data: { expiresAt } })
    },

    async sweep(now, limit) {
      await database.$executeRaw`
        DELETE FROM oauth_clients WHERE client_id IN (
          SELECT client_id FROM oauth_clients c
          WHERE expires_at < ${now} AND NOT EXISTS (
            SELECT 1 FROM grants g WHERE g.client_id = c.client_id AND revoked_at IS NULL AND g.expires_at > ${now})
          ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
    },
  }
}

/** Client metadata documents, in PostgreSQL. */
export function createPrismaClientDocumentStore(database: Database): ClientDocumentStore {
  return {
    async find(url) {
      const row = await database.clientDocument.findUnique({ where: { url } })
      return row === null ? null : { document: row.document as object, fetchedAt: row.fetchedAt }
    },

    async keep(url, document, fetchedAt) {
      await database.clientDocument.upsert({
        where: { url },
        create: { url, document, fetchedAt },
        update: { document, fetchedAt },
      })
    },
  }
}

const toArtifact = ({ kind, createdAt: _, ...row }: ArtifactRow) => ({ ...row, kind: kind as ArtifactKind })

/** Codes, refresh tokens and open requests, in PostgreSQL. */
export function createPrismaArtifactStore(database: Database): ArtifactStore {
  return {
    async put({ keyHash, ...artifact }: Artifact) {
      await database.oauthArtifact.upsert({
        where: { keyHash },
        create: { keyHash, ...artifact },
        update: artifact,
      })
    },

    async find(keyHash) {
      const row = await database.oauthArtifact.findUnique({ where: { keyHash } })
      return row === null ? null : toArtifact(row)
    },

    async consume(keyHash, now) {
      const { count } = await database.oauthArtifact.updateMany({
        where: { keyHash, consumedAt: null },
        data: { consumedAt: now },
      })
      return count === 1
    },

    async rotate({ predecessorHash, successor, successorAnswer }, now) {
      return database.$transaction(async (transaction) => {
        const { count } = await transaction.oauthArtifact.updateMany({
          where: { keyHash: predecessorHash, consumedAt: null },
          data: { consumedAt: now, successorHash: successor.keyHash, successorAnswer },
        })
        if (count !== 1) return false
        await transaction.oauthArtifact.create({ data: successor })
        const { grantId } = successor
        if (grantId !== null) await transaction.grant.updateMany({ where: { id: grantId }, data: { lastUsedAt: now } })
        return true
      })
    },

    async destroy(keyHash) {
      const { count } = await database.oauthArtifact.deleteMany({ where: { keyHash } })
      return count === 1
    },

    async destroyOfGrant(kind, grantId) {
      await database.oauthArtifact.deleteMany({ where: { kind, grantId } })
    },

    async sweep(now, limit) {
      await database.$executeRaw`
        DELETE FROM oauth_artifacts WHERE key_hash IN (
          SELECT key_hash FROM oauth_artifacts WHERE expires_at < ${addMs(now, -sweptAfterMs)}
          ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
    },
  }
}

/** A code that comes late should still be told from one that never was. */
const sweptAfterMs = 3_600_000

const windowOf = (now: Date, windowMs: number) => new Date(Math.floor(now.getTime() / windowMs) * windowMs)

/** Counts of attempts, in PostgreSQL: the same for all processes. */
export function createPrismaRateCounter(database: Database): RateCounter {
  return {
    async hit(key, windowMs, now) {
      const windowAt = windowOf(now, windowMs)
      const [row] = await database.$queryRaw<{ count: number }[]>`
        INSERT INTO rate_counts (key, window_at, count, expires_at) VALUES (${key}, ${windowAt}, 1, ${addMs(windowAt, windowMs)})
        ON CONFLICT (key, window_at) DO UPDATE SET count = rate_counts.count + 1 RETURNING count`
      if (row?.count === 1) await database.rateCount.deleteMany({ where: { expiresAt: { lt: now } } })
      return row?.count ?? 1
    },

    async peek(key, windowMs, now) {
      const where = { key_windowAt: { key, windowAt: windowOf(now, windowMs) } }
      return (await database.rateCount.findUnique({ where }))?.count ?? 0
    },
  }
}
