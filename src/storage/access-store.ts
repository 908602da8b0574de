import type { AccessStore, ApiKey } from '../access/store.ts'
import { newId } from '../kernel/id.ts'
import type { PrincipalKind, Role, Scope } from '../kernel/principal.ts'
import type { ApiKey as ApiKeyRow, Principal as PrincipalRow } from './generated/client.ts'
import type { Database } from './prisma-client.ts'

const toApiKey = ({
  keyHash: _,
  principalId: __,
  principal,
  ...row
}: ApiKeyRow & { principal: PrincipalRow }): ApiKey => ({
  ...row,
  kind: principal.kind as PrincipalKind,
  subject: principal.subject,
  role: row.role as Role,
  scopes: row.scopes as Scope[],
})

/** Tenants, principals and API keys in PostgreSQL. */
export function createPrismaAccessStore(database: Database): AccessStore {
  const tenantFacts = { id: true, slug: true, name: true } as const

  return {
    findTenant: (slug) => database.tenant.findUnique({ where: { slug }, select: tenantFacts }),

    findTenantById: (id) => database.tenant.findUnique({ where: { id }, select: tenantFacts }),

    async ensureTenant(slug, name) {
      const {
        id,
        slug: ensuredSlug,
        name: ensuredName,
      } = await database.tenant.upsert({
        where: { slug },
        create: { id: newId(), slug, name },
        update: {},
      })
      return { id, slug: ensuredSlug, name: ensuredName }
    },

    async createApiKey({ tenantId, kind, subject, scopes, ...key }) {
      return database.$transaction(async (transaction) => {
        const principal = await transaction.principal.upsert({
          where: { tenantId_kind_subject: { tenantId, kind, subject } },
          create: { id: newId(), tenantId, kind, subject },
          update: {},
        })
        const row = await transaction.apiKey.create({
          data: { ...key, id: newId(), tenantId, principalId: principal.id, scopes: [...scopes] },
          include: { principal: true },
        })
        return toApiKey(row)
      })
    },

    async findPrincipalByKeyHash(keyHash, now) {
      const row = await database.apiKey.findUnique({ where: { keyHash }, include: { principal: true } })
      if (row === null || row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= now)) return null
      return {
        id: row.principal.id,
        tenantId: row.tenantId,
        kind: row.principal.kind as PrincipalKind,
        subject: row.principal.subject,
        role: row.role as Role,
        scopes: new Set(row.scopes as Scope[]),
        label: row.label,
      }
    },

    async listApiKeys(tenantId) {
      const rows = await database.apiKey.findMany({
        where: { tenantId },
        include: { principal: true },
        orderBy: { id: 'desc' },
      })
      return rows.map(toApiKey)
    },

    async revokeApiKey(tenantId, id, now) {
      const { count } = await database.apiKey.updateMany({ where: { tenantId, id }, data: { revokedAt: now } })
      return count > 0
    },

    async revokeOtherKeysOfLabel(tenantId, label, keepHash, now) {
      const others = keepHash === null ? {} : { keyHash: { not: keepHash } }
      await database.apiKey.updateMany({
        where: { tenantId, label, revokedAt: null, ...others },
        data: { revokedAt: now },
      })
    },
  }
}
