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

    async revoke(id, reason, now) {
      const { count } = await database.grant.updateMany({
        where: { id, revokedAt: null },
        data: { revokedAt: now, revokeReason: reason },
      })
      return count === 1
    },
  }
}
