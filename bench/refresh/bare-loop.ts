import pg from 'pg'
import { Pool as SocketPool } from 'undici'
import { Secret } from '../../src/kernel/secret.ts'
import { readKeyring } from '../../src/vault/key-check.ts'
import { createVault } from '../../src/vault/vault.ts'

/**
 * The least that refreshing can be, and the measure of ours: pick what is due with SKIP LOCKED (a hundred at a time), open the
 * refresh token, ask, seal what comes, one commit per row. No lease, no epochs, no bounds, no guard, no events, no queue,
 * no log: a crash or a second process breaks grants.
 */
const { DATABASE_URL = '', ENCRYPTION_KEYS = '', CONCURRENCY = '50', DATABASE_POOL_SIZE = '10' } = process.env
const concurrency = Number(CONCURRENCY)
const vault = createVault(readKeyring(new Secret(ENCRYPTION_KEYS), ''))
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Number(DATABASE_POOL_SIZE) })
const sockets = new Map<string, SocketPool>()

type Row = {
  readonly id: string
  readonly tenant_id: string
  readonly token_endpoint: string
  readonly client_id: string
  readonly resource: string
  readonly sealed_refresh_token: string
}

const pick = {
  name: 'pick',
  text: `UPDATE connections SET next_refresh_at = now() + interval '60 s' WHERE id IN (
      SELECT id FROM connections WHERE next_refresh_at <= now() ORDER BY next_refresh_at LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING id, tenant_id, token_endpoint, client_id, resource, sealed_refresh_token`,
}
const store = {
  name: 'store',
  text: `UPDATE connections SET sealed_access_token = $2, sealed_refresh_token = $3, token_version = token_version + 1,
      access_expires_at = now() + $4 * interval '1 second', next_refresh_at = now() + $4 * interval '0.8 second'
    WHERE id = $1`,
}

const place = (row: Row, column: string) => ({ table: 'connections', column, rowId: row.id, tenantId: row.tenant_id })

async function refresh(row: Row): Promise<void> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: vault.open(row.sealed_refresh_token, place(row, 'sealed_refresh_token')).reveal(),
    client_id: row.client_id,
    resource: row.resource,
  })
  const url = new URL(row.token_endpoint)
  const known = sockets.get(url.origin)
  const socket = known ?? new SocketPool(url.origin, { connections: concurrency })
  if (known === undefined) sockets.set(url.origin, socket)
  const { body } = await socket.request({
    method: 'POST',
    path: url.pathname,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  })
  const answer = (await body.json()) as { access_token: string; refresh_token: string; expires_in: number }
  const access = vault.seal(new Secret(answer.access_token), place(row, 'sealed_access_token'))
  const rotated = vault.seal(new Secret(answer.refresh_token), place(row, 'sealed_refresh_token'))
  await pool.query({ ...store, values: [row.id, access, rotated, answer.expires_in] })
}

const picked: Row[] = []
let picking: Promise<boolean> | undefined

async function pickMore(): Promise<boolean> {
  const { rows } = await pool.query<Row>(pick)
  picked.push(...rows)
  return rows.length > 0
}

async function lane(): Promise<void> {
  for (;;) {
    const row = picked.shift()
    if (row !== undefined) await refresh(row)
    else {
      picking ??= pickMore().finally(() => {
        picking = undefined
      })
      if (!(await picking)) return
    }
  }
}

process.on('message', async () => {
  await Promise.all(Array.from({ length: concurrency }, lane))
  process.send?.('done')
})
process.once('disconnect', () => process.exit())
process.send?.('ready')
