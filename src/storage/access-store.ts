import type pg from 'pg'
import type { AccessStore, ApiKey, Tenant } from '../access/store.ts'
import { addMs } from '../kernel/clock.ts'
import { newId } from '../kernel/id.ts'
import type { Principal, PrincipalKind, Role, Scope } from '../kernel/principal.ts'
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
function noteUse(database: Database, { credentialId: id, lastUsedAt }: CallerRow, now: Date): void {
  const due = addMs(now, -useNotedMs)
  if (lastUsedAt !== null && lastUsedAt > due) return
  const isDue = { OR: [{ lastUsedAt: null }, { lastUsedAt: { lt: due } }] }
  database.apiKey.updateMany({ where: { id, ...isDue }, data: { lastUsedAt: now } }).catch(() => {})
}

type CallerRow = Omit<Principal, 'scopes'> & {
  readonly scopes: readonly Scope[]
  readonly credentialId: string
  readonly expiresAt: Date | null
  readonly lastUsedAt: Date | null
  readonly isOver: boolean
}

// These are asked for each caller every few seconds, and so written by hand: Prisma takes three times the processor time.
const tenantBySlug = { name: 'tenant-by-slug', text: 'SELECT id, slug, name FROM tenants WHERE slug = $1' }
const principalOf = {
  name: 'principal-of',
  text: 'SELECT id FROM principals WHERE tenant_id = $1::uuid AND kind = $2 AND subject = $3',
}
const holderByKeyHash = {
  name: 'holder-by-key-hash',
  text: `SELECT p.id, a.tenant_id AS "tenantId", p.kind, p.subject, a.role, a.scopes, a.label,
      a.id AS "credentialId", a.expires_at AS "expiresAt", a.last_used_at AS "lastUsedAt",
      a.revoked_at IS NOT NULL OR coalesce(a.expires_at <= $2, false) AS "isOver"
    FROM api_keys a JOIN principals p ON p.id = a.principal_id WHERE a.key_hash = $1`,
}

/** Tenants, principals and API keys in PostgreSQL. */
export function createPrismaAccessStore(database: Database, pool: pg.Pool): AccessStore {
  const tenantFacts = { id: true, slug: true, name: true } as const

  return {
    async findTenant(slug) {
      const { rows } = await pool.query<Tenant>({ ...tenantBySlug, values: [slug] })
      return rows[0] ?? null
    },

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
      const { rows } = await pool.query<{ id: string }>({
        ...principalOf,
        values: [who.tenantId, who.kind, who.subject],
      })
      return (rows[0] ?? (await ensurePrincipal(database, who))).id
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

    async findKeyHolder(keyHash, now) {
      const { rows } = await pool.query<CallerRow>({ ...holderByKeyHash, values: [keyHash, now] })
      const [row] = rows
      if (row === undefined) return null
      const { credentialId, expiresAt, lastUsedAt: _, isOver, scopes, ...principal } = row
      if (!isOver) noteUse(database, row, now)
      return { caller: { principal: { ...principal, scopes: new Set(scopes) }, credentialId, expiresAt }, isOver }
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
