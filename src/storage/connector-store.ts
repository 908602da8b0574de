import type pg from 'pg'
import type {
  Connector,
  ConnectorAuth,
  ConnectorAuthType,
  ConnectorMetadata,
  CredentialScope,
  OwnerKind,
  Transport,
} from '../connectors/connector.ts'
import type { ConnectorQuery, ConnectorStore } from '../connectors/store.ts'
import type { Principal } from '../kernel/principal.ts'
import { connectorColumns, selectList } from './columns.ts'
import { voidConnections } from './connection-store.ts'
import { writeEvent } from './event-store.ts'
import { type Connector as ConnectorRow, Prisma } from './generated/client.ts'
import type { Database } from './prisma-client.ts'
import { isUniqueViolation } from './storage-errors.ts'

const toConnector = (row: ConnectorRow): Connector => ({
  ...row,
  ownerKind: row.ownerKind as OwnerKind,
  credentialScope: row.credentialScope as CredentialScope,
  transport: row.transport as Transport,
  authType: row.authType as ConnectorAuthType,
  signingAlgorithm: row.signingAlgorithm as ConnectorAuth['signingAlgorithm'],
  metadata: row.metadata as ConnectorMetadata | null,
})

const jsonOrNull = (value: ConnectorMetadata | null) => (value === null ? Prisma.DbNull : { ...value })

/** `%`, `_` and `\` in a search text stand for themselves. */
const likePattern = (text: string) => `%${text.replace(/[\\%_]/g, (character) => `\\${character}`)}%`

function conditions(principal: Principal, query: ConnectorQuery): Prisma.Sql {
  const all = [
    Prisma.sql`c.tenant_id = ${principal.tenantId}::uuid`,
    Prisma.sql`(c.owner_kind = 'tenant' OR (c.owner_kind = ${principal.kind} AND c.owner_id = ${principal.subject}))`,
  ]
  if (query.state !== undefined) all.push(Prisma.sql`coalesce(k.state, 'created') = ${query.state}`)
  if (query.urlKey !== undefined) all.push(Prisma.sql`c.url_key = ${query.urlKey}`)
  if (query.presetId !== undefined) all.push(Prisma.sql`c.preset_id = ${query.presetId}`)
  if (query.text !== undefined) {
    const pattern = likePattern(query.text)
    all.push(Prisma.sql`(c.url ILIKE ${pattern} OR c.label ILIKE ${pattern}
      OR EXISTS (SELECT 1 FROM jsonb_each_text(CASE jsonb_typeof(c.metadata) WHEN 'object' THEN c.metadata ELSE '{}' END) m WHERE m.value ILIKE ${pattern}))`)
  }
  return Prisma.join(all, ' AND ')
}

/** The connection that the principal's calls would use: its own, then the tenant's. */
const resolvedConnection = (principal: Principal) => Prisma.sql`LEFT JOIN LATERAL (
    SELECT state FROM connections
    WHERE connector_id = c.id
      AND ((scope = ${principal.kind} AND subject_id = ${principal.subject}) OR scope = 'tenant')
    ORDER BY (scope = 'tenant') LIMIT 1) k ON true`

/** Asked for each caller every few seconds, and so by hand: Prisma takes three times the processor time. */
const connectorById = {
  name: 'connector-by-id',
  text: `SELECT ${selectList(connectorColumns, 'c')} FROM connectors c WHERE c.tenant_id = $1::uuid AND c.id = $2::uuid`,
}

/** Connectors in PostgreSQL. */
export function createPrismaConnectorStore(database: Database, pool: pg.Pool): ConnectorStore {
  return {
    async create({ metadata, scopes, ...connector }) {
      try {
        return await database.$transaction(async (transaction) => {
          const row = await transaction.connector.create({
            data: { ...connector, metadata: jsonOrNull(metadata), scopes: [...scopes] },
          })
          const subject = { tenantId: row.tenantId, connectorId: row.id }
          await writeEvent(transaction, subject, { type: 'connector.created', actorId: row.createdByPrincipalId })
          return toConnector(row)
        })
      } catch (error) {
        if (isUniqueViolation(error)) return null
        throw error
      }
    },

    async find(tenantId, id) {
      const { rows } = await pool.query<Connector>({ ...connectorById, values: [tenantId, id] })
      return rows[0] ?? null
    },

    async list(principal, query) {
      const where = conditions(principal, query)
      const from = Prisma.sql`FROM connectors c ${resolvedConnection(principal)} WHERE ${where}`
      const isAscending = query.order === 'asc'
      const direction = isAscending ? Prisma.sql`ASC` : Prisma.sql`DESC`
      const page =
        query.after === undefined
          ? Prisma.empty
          : isAscending
            ? Prisma.sql`AND c.id > ${query.after}::uuid`
            : Prisma.sql`AND c.id < ${query.after}::uuid`
      const [ids, counts] = await Promise.all([
        database.$queryRaw<
          { id: string }[]
        >`SELECT c.id ${from} ${page} ORDER BY c.id ${direction} LIMIT ${query.limit + 1}`,
        database.$queryRaw<{ count: bigint }[]>`SELECT count(*) AS count ${from}`,
      ])
      const rows = await database.connector.findMany({
        where: { tenantId: principal.tenantId, id: { in: ids.slice(0, query.limit).map(({ id }) => id) } },
        orderBy: { id: query.order },
      })
      return {
        items: rows.map(toConnector),
        totalCount: Number(counts[0]?.count ?? 0),
        hasMore: ids.length > query.limit,
      }
    },

    async update(connector, { metadata, scopes, ...changes }, { voidsCredentials, actorId }) {
      const { id, tenantId } = connector
      try {
        return await database.$transaction(async (transaction) => {
          const [row] = await transaction.connector.updateManyAndReturn({
            where: { id, tenantId },
            data: {
              ...changes,
              ...(metadata === undefined ? {} : { metadata: jsonOrNull(metadata) }),
              ...(scopes === undefined ? {} : { scopes: [...scopes] }),
            },
          })
          if (row === undefined) return null
          if (voidsCredentials) await voidConnections(transaction, tenantId, id)
          await writeEvent(transaction, { tenantId, connectorId: id }, { type: 'connector.updated', actorId })
          return toConnector(row)
        })
      } catch (error) {
        if (isUniqueViolation(error)) return 'exists'
        throw error
      }
    },

    async tenantOf(id) {
      const row = await database.connector.findUnique({ where: { id }, select: { tenantId: true } })
      return row?.tenantId ?? null
    },

    async pinClientIssuer({ id, tenantId, clientId }, issuer) {
      const rows = await database.$queryRaw<{ issuer: string }[]>`UPDATE connectors
        SET client_issuer = coalesce(client_issuer, ${issuer})
        WHERE id = ${id}::uuid AND tenant_id = ${tenantId}::uuid AND client_id = ${clientId}
        RETURNING client_issuer AS issuer`
      return rows[0]?.issuer ?? null
    },

    async delete(tenantId, id, _actorId) {
      const { count } = await database.connector.deleteMany({ where: { tenantId, id } })
      return count > 0
    },
  }
}
