import type pg from 'pg'
import type { Connection } from '../connections/connection.ts'
import type { ConnectionStore } from '../connections/store.ts'
import { newId } from '../kernel/id.ts'
import { changeConnection } from './change-connection.ts'
import { connectionColumns, selectList } from './columns.ts'
import type { Connection as ConnectionRow } from './generated/client.ts'
import type { Database, Transaction } from './prisma-client.ts'
import { isUniqueViolation } from './storage-errors.ts'

/** The columns that are a closed list in the domain are plain text in the table; this store is their only writer. */
const toConnection = (row: ConnectionRow) => row as unknown as Connection

/** Ends the grants of all connections of a connector whose credentials no longer apply. */
export async function voidConnections(transaction: Transaction, tenantId: string, connectorId: string): Promise<void> {
  await transaction.$executeRaw`UPDATE connections SET
      state = CASE state WHEN 'created' THEN 'created' ELSE 'disconnected' END,
      disconnect_code = CASE state WHEN 'created' THEN NULL ELSE 'connector_changed' END,
      disconnect_reason = CASE state WHEN 'created' THEN NULL
        ELSE 'The connector was changed, so its old authorization no longer applies. Connect it again.' END,
      grant_epoch = grant_epoch + 1, lease_owner = NULL, lease_until = NULL, refresh_started_at = NULL,
      next_refresh_at = NULL, access_expires_at = NULL, access_lifetime_seconds = NULL, reauth_by = NULL, failing_since = NULL,
      sealed_access_token = NULL, sealed_refresh_token = NULL, sealed_extra_headers = NULL,
      auth_type = NULL, issuer = NULL, token_endpoint = NULL, revocation_endpoint = NULL, resource = NULL, client_id = NULL,
      client_source = NULL, registration_id = NULL, token_endpoint_auth_method = NULL, scopes = '{}',
      requested_scopes = '{}', is_pkce_unverified = false, step_ups = NULL, challenge = NULL,
      last_error = NULL, fail_count = 0, updated_at = now()
    WHERE tenant_id = ${tenantId}::uuid AND connector_id = ${connectorId}::uuid`
  await transaction.ticket.deleteMany({ where: { tenantId, connection: { connectorId } } })
}

/** Asked for each caller every few seconds, and so by hand: Prisma takes three times the processor time. */
const connectionsFor = {
  name: 'connections-for',
  text: `SELECT ${selectList(connectionColumns, 'k')} FROM connections k
    WHERE k.tenant_id = $1::uuid AND k.connector_id = ANY ($2::uuid[])
      AND ((k.scope = $3 AND k.subject_id = $4) OR k.scope = 'tenant')`,
}

/** Connections in PostgreSQL. */
export function createPrismaConnectionStore(database: Database, pool: pg.Pool): ConnectionStore {
  const resolveMany: ConnectionStore['resolveMany'] = async (tenantId, connectorIds, { kind, subject }) => {
    const values = [tenantId, connectorIds, kind, subject]
    const { rows } = await pool.query<Connection>({ ...connectionsFor, values })
    const resolved = new Map<string, Connection>()
    for (const connection of rows) {
      if (connection.scope !== 'tenant' || !resolved.has(connection.connectorId))
        resolved.set(connection.connectorId, connection)
    }
    return resolved
  }

  return {
    async find(tenantId, id) {
      const row = await database.connection.findFirst({ where: { tenantId, id } })
      return row === null ? null : toConnection(row)
    },

    resolveMany,

    async resolve(tenantId, connectorId, who) {
      return (await resolveMany(tenantId, [connectorId], who)).get(connectorId) ?? null
    },

    async findOf(tenantId, connectorId, scope, subjectId) {
      const row = await database.connection.findFirst({ where: { tenantId, connectorId, scope, subjectId } })
      return row === null ? null : toConnection(row)
    },

    async listOfConnector(tenantId, connectorId) {
      return (await database.connection.findMany({ where: { tenantId, connectorId } })).map(toConnection)
    },

    async ensure(tenantId, connectorId, scope, subjectId) {
      const key = { connectorId_scope_subjectId: { connectorId, scope, subjectId } }
      try {
        const row = await database.connection.upsert({
          where: { ...key, tenantId },
          create: { id: newId(), tenantId, connectorId, scope, subjectId },
          update: {},
        })
        return toConnection(row)
      } catch (error) {
        // two callers made it at once
        if (!isUniqueViolation(error)) throw error
        return toConnection(await database.connection.findUniqueOrThrow({ where: { ...key, tenantId } }))
      }
    },

    compareAndSet(seen, changes, event) {
      return changeConnection(pool, seen, { changes, event, isLeaseReleased: false })
    },
  }
}
