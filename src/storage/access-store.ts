import type { AccessStore, ApiKey } from '../access/store.ts'
import { addMs } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { PrincipalKind, Role, Scope } from '../kernel/principal.ts'
import type { ApiKey as ApiKeyRow, Principal as PrincipalRow } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'

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

/** Whoever is already there stays: two may come at once, and neither may fail. */
async function ensurePrincipal(
  transaction: Transaction,
  who: Pick<PrincipalRow, 'tenantId' | 'kind' | 'subject'>,
): Promise<PrincipalRow> {
  await transaction.principal.createMany({ data: [{ ...who, id: newId() }], skipDuplicates: true })
  return transaction.principal.findUniqueOrThrow({ where: { tenantId_kind_subject: who } })
}

const useNotedMs = 600_000

/** For people who look at old keys: no call waits for it, and none fails with it. */
function noteUse(database: Database, { id, lastUsedAt }: ApiKeyRow, now: Date): void {
  const due = addMs(now, -useNotedMs)
  if (lastUsedAt !== null && lastUsedAt > due) return
  const isDue = { OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: due } }] }
  database.apiKey.updateMany({ where: { id, ...isDue }, data: { lastUsedAt: now } }).catch(() => {})
}

/** Tenants, principals and API keys in PostgreSQL. */
export function createPrismaAccessStore(database: Database): AccessStore {
  const tenantFacts = { id: true, slug: true, name: true } as const

  return {
    findTenant: (slug) => database.tenant.findUnique({ where: { slug }, select: tenantFacts }),

    findTenantById: (id) => database.tenant.findUnique({ where: { id }, select: tenantFacts }),

    listTenants: () => database.tenant.findMany({ select: tenantFacts, orderBy: { slug: 'asc' } }),

    async createTenant(slug, name) {
      const id = newId()
      const { count } = await database.tenant.createMany({ data: [{ id, slug, name }], skipDuplicates: true })
      return count === 0 ? null : { id, slug, name }
    },

    async ensureTenant(slug, name) {
      await database.tenant.createMany({ data: [{ id: newId(), slug, name }], skipDuplicates: true })
      return database.tenant.findUniqueOrThrow({ where: { slug }, select: tenantFacts })
    },

    async ensurePrincipal(who) {
      const known = await database.principal.findUnique({ where: { tenantId_kind_subject: who }, select: { id: true } })
      return (known ?? (await ensurePrincipal(database, who))).id
    },

    async createApiKey({ tenantId, kind, subject, scopes, ...key }) {
      return database.$transaction(async (transaction) => {
        const principal = await ensurePrincipal(transaction, { tenantId, kind, subject })
        const row = await transaction.apiKey.create({
          data: { ...key, id: newId(), tenantId, principalId: principal.id, scopes: [...scopes] },
          include: { principal: true },
        })
        return toApiKey(row)
      })
    },

    async ensureApiKey({ tenantId, kind, subject, scopes, ...key }) {
      await database.$transaction(async (transaction) => {
        const principal = await ensurePrincipal(transaction, { tenantId, kind, subject })
        const data = { ...key, id: newId(), tenantId, principalId: principal.id, scopes: [...scopes] }
        await transaction.apiKey.createMany({ data: [data], skipDuplicates: true })
        const { label, keyHash, expiresAt } = key
        await transaction.apiKey.updateMany({
          where: { tenantId, label, keyHash },
          data: { revokedAt: null, expiresAt },
        })
      })
    },

    async findCallerByKeyHash(keyHash, now) {
      const row = await database.apiKey.findUnique({ where: { keyHash }, include: { principal: true } })
      if (row === null || row.revokedAt !== null || (row.expiresAt !== null && row.expiresAt <= now)) return null
      noteUse(database, row, now)
      return {
        principal: {
          id: row.principal.id,
          tenantId: row.tenantId,
          kind: row.principal.kind as PrincipalKind,
          subject: row.principal.subject,
          role: row.role as Role,
          scopes: new Set(row.scopes as Scope[]),
          label: row.label,
        },
        credentialId: row.id,
        expiresAt: row.expiresAt,
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

    async revokeOtherKeysOf({ tenantId, kind, subject }, keepHash, now) {
      const others = keepHash === null ? {} : { keyHash: { not: keepHash } }
      await database.apiKey.updateMany({
        where: { tenantId, principal: { kind, subject }, revokedAt: null, ...others },
        data: { revokedAt: now },
      })
    },
  }
}
