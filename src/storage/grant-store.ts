import type { GrantStore } from '../authorization-server/grant.ts'
import type { PrincipalKind } from '../kernel/principal.ts'
import type { Database } from './prisma-client.ts'

/** What people gave hosts, in PostgreSQL. */
export function createPrismaGrantStore(database: Database): GrantStore {
  return {
    async create(grant) {
      await database.grant.create({ data: grant })
    },

    async findLive(id, now) {
      const row = await database.grant.findFirst({
        where: { id, revokedAt: null, expiresAt: { gt: now } },
        include: { principal: true },
      })
      if (row === null) return null
      const { principal, ...grant } = row
      const { id: principalId, kind, subject } = principal
      return { grant, principal: { id: principalId, kind: kind as PrincipalKind, subject } }
    },

    async list({ limit, before, now, ...owner }) {
      const where = { ...owner, revokedAt: null, expiresAt: { gt: now } }
      const [rows, totalCount] = await Promise.all([
        database.grant.findMany({
          where: before === undefined ? where : { ...where, id: { lt: before } },
          include: { principal: true, connector: { select: { url: true, metadata: true } } },
          orderBy: { id: 'desc' },
          take: limit + 1,
        }),
        database.grant.count({ where }),
      ])
      const items = rows.slice(0, limit).map(({ principal, connector, ...grant }) => {
        const { id, kind, subject } = principal
        return {
          grant,
          connector: { url: connector.url, name: nameIn(connector.metadata) },
          principal: { id, kind: kind as PrincipalKind, subject },
        }
      })
      return { items, totalCount, hasMore: rows.length > limit }
    },

    async revokeOf(id, owner, now) {
      const { count } = await database.grant.updateMany({
        where: { ...owner, id, revokedAt: null, expiresAt: { gt: now } },
        data: { revokedAt: now, revokeReason: 'person' },
      })
      return count === 1
    },

    async revoke(id, reason, now) {
      const { count } = await database.grant.updateMany({
        where: { id, revokedAt: null },
        data: { revokedAt: now, revokeReason: reason },
      })
      return count === 1
    },
  }
}

/** What its owner calls the connector. */
function nameIn(metadata: unknown): string | null {
  const isNamed = typeof metadata === 'object' && metadata !== null && 'name' in metadata
  return isNamed && typeof metadata.name === 'string' ? metadata.name : null
}
