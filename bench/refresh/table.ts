import type pg from 'pg'
import { newId } from '../../src/kernel/id.ts'
import { Secret } from '../../src/kernel/secret.ts'
import type { Vault } from '../../src/vault/vault.ts'

export type Filling = {
  readonly connections: number
  readonly issuers: number
  /** Where token requests go. */
  readonly port: number
  /** Seals the tokens; without it they are only as long as sealed ones, for tables that nobody refreshes. */
  readonly vault: Vault | null
}

const batchSize = 5000
const token = new Secret(`rt-0-${'y'.repeat(40)}`)

/** A database with so many connections, none of them due. Their subjects are their numbers: '0', '1', ... */
export async function fillTable(pool: pg.Pool, { connections, issuers, port, vault }: Filling): Promise<void> {
  const tenantId = newId()
  await pool.query(`INSERT INTO tenants (id, slug, name) VALUES ($1, 'bench', 'bench')`, [tenantId])
  const connectorIds = Array.from({ length: issuers }, () => newId())
  await pool.query(
    `INSERT INTO connectors (id, tenant_id, owner_kind, owner_id, url, url_key, credential_scope, created_by_principal_id, updated_at)
     SELECT id, $2, 'tenant', '*', 'https://mcp.example/' || id, id, 'user', $2, now() FROM unnest($1::uuid[]) AS id`,
    [connectorIds, tenantId],
  )
  const row = { tenantId, connectorIds, issuers, port }
  if (vault === null) await insertUnsealed(pool, row, connections)
  else await insertSealed(pool, row, connections, vault)
  await pool.query('VACUUM (ANALYZE) connections')
}

type Row = {
  readonly tenantId: string
  readonly connectorIds: string[]
  readonly issuers: number
  readonly port: number
}

const columns = `id, tenant_id, connector_id, scope, subject_id, state, auth_type, issuer, token_endpoint, resource, client_id,
  client_source, token_endpoint_auth_method, sealed_access_token, sealed_refresh_token, access_expires_at, next_refresh_at, updated_at`
const values = `$1, ($2::uuid[])[n % $3 + 1], 'user', n::text, 'connected', 'oauth2', 'http://127.0.0.1:' || $4 || '/as-' || n % $3,
  'http://127.0.0.1:' || $4 || '/token', 'https://mcp.example/', 'https://patchbay.example/client', 'metadata_document', 'none',
  access, refresh, now() + interval '1 day', now() + interval '1 day' + n * interval '1 ms', now()`
const parametersOf = ({ tenantId, connectorIds, issuers, port }: Row) => [tenantId, connectorIds, issuers, String(port)]

/** The database makes the rows itself, so many in a statement that it stays within the time that a statement gets. */
async function insertUnsealed(pool: pg.Pool, row: Row, connections: number): Promise<void> {
  const atOnce = 25_000
  for (let from = 0; from < connections; from += atOnce) {
    await pool.query(
      `INSERT INTO connections (${columns})
       SELECT gen_random_uuid(), ${values}
       FROM generate_series($5::int, $6::int) AS n, repeat('x', 120) AS access, repeat('x', 120) AS refresh`,
      [...parametersOf(row), from, Math.min(from + atOnce, connections) - 1],
    )
  }
}

async function insertSealed(pool: pg.Pool, row: Row, connections: number, vault: Vault): Promise<void> {
  const seal = (id: string, column: string) =>
    vault.seal(token, { table: 'connections', column, rowId: id, tenantId: row.tenantId })
  for (let from = 0; from < connections; from += batchSize) {
    const numbers = Array.from({ length: Math.min(batchSize, connections - from) }, (_, index) => from + index)
    const ids = numbers.map(() => newId())
    await pool.query(
      `INSERT INTO connections (${columns})
       SELECT id, ${values} FROM unnest($5::uuid[], $6::int[], $7::text[], $8::text[]) AS row (id, n, access, refresh)`,
      [
        ...parametersOf(row),
        ids,
        numbers,
        ids.map((id) => seal(id, 'sealed_access_token')),
        ids.map((id) => seal(id, 'sealed_refresh_token')),
      ],
    )
  }
}

/** Makes connections due: those with the numbers from `from` on. */
export async function makeDue(pool: pg.Pool, from: number, count: number): Promise<void> {
  await pool.query(
    `UPDATE connections SET next_refresh_at = now()
     WHERE scope = 'user' AND subject_id = ANY (SELECT generate_series($1::int, $1 + $2 - 1)::text)`,
    [from, count],
  )
}

/** How many of them are due or being refreshed. */
export async function countUnfinished(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM connections WHERE next_refresh_at < now() + interval '5 minutes'`,
  )
  return rows[0]?.count ?? 0
}
