import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type pg from 'pg'
import { choreNames, createKeepHouse } from '../../../src/audit/keep-house.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createPostgresHousekeepingStore } from '../../../src/storage/housekeeping-store.ts'
import { openPool } from '../../../src/storage/prisma-client.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'
import { startWorker } from '../../support/worker.ts'

const day = 86_400_000

describe('housekeeping', () => {
  const clock = createTestClock()
  let bay: Patchbay
  let pool: pg.Pool
  beforeEach(async () => {
    bay = await startPatchbay()
    pool = openPool({ url: new Secret(bay.databaseUrl), poolSize: 3 })
  })
  afterEach(async () => {
    await pool.end()
    await bay.close()
  })

  const keepHouse = (options: { batchSize?: number; maxBatches?: number } = {}) =>
    createKeepHouse({
      store: createPostgresHousekeepingStore(pool),
      clock,
      keptDays: { events: 90, deliveries: 30, analytics: 90, audit: 365 },
      ...options,
    })()
  const query = (sql: string, values: unknown[] = []) =>
    withConnection(bay.databaseUrl, async (client) => (await client.query(sql, values)).rows)
  const count = async (table: string): Promise<number> => (await query(`SELECT count(*)::int AS n FROM ${table}`))[0].n
  const at = (daysAgo: number) => new Date(clock.now().getTime() - daysAgo * day)

  /** One of everything that is over, and one that is not. */
  async function fill(): Promise<void> {
    const connectorId = await createConnector(bay, 'https://mcp.example.com/mcp')
    await query('DELETE FROM events')
    await query('DELETE FROM audit_entries')
    const [{ tenant_id: tenant, created_by_principal_id: person }] = await query('SELECT * FROM connectors')
    const connection = randomUUID()
    await query(
      `INSERT INTO connections (id, tenant_id, connector_id, scope, subject_id, updated_at)
       VALUES ($1, $2, $3, 'tenant', '*', now()) ON CONFLICT DO NOTHING`,
      [connection, tenant, connectorId],
    )
    const [{ id: connectionId }] = await query('SELECT id FROM connections')
    for (const age of [1000, -1]) {
      const ticket = randomUUID()
      await query(
        `INSERT INTO tickets (id, tenant_id, connection_id, ticket_hash, sealed_ticket, grant_epoch, initiator_label, expires_at)
         VALUES ($1::uuid, $2, $3, $1::text, 'x', 0, 'l', $4)`,
        [ticket, tenant, connectionId, at(-1)],
      )
      await query(
        `INSERT INTO flows (id, tenant_id, connection_id, ticket_id, state_hash, browser_hash, sealed_verifier, grant_epoch,
           "authorization", expires_at) VALUES ($1::uuid, $2, $3, $4, $1::text, 'b', 'x', 0, '{}', $5)`,
        [randomUUID(), tenant, connectionId, ticket, at(age)],
      )
      await query('UPDATE tickets SET expires_at = $2 WHERE id = $1', [ticket, at(age)])
      await query(
        `INSERT INTO connect_tokens (id, tenant_id, connector_id, principal_id, token_hash, created_by_principal_id, expires_at)
         VALUES ($1::uuid, $2, $3, $4, $1::text, $4, $5)`,
        [randomUUID(), tenant, connectorId, person, at(age)],
      )
      await query(
        `INSERT INTO person_sessions (id, tenant_id, principal_id, token_hash, method, expires_at)
         VALUES ($1::uuid, $2, $3, $1::text, 'dev', $4)`,
        [randomUUID(), tenant, person, at(age)],
      )
      await query(`INSERT INTO rate_counts (key, window_at, count, expires_at) VALUES ('k', $1, 1, $1)`, [at(age)])
      const grant = randomUUID()
      await query(
        `INSERT INTO grants (id, tenant_id, connector_id, principal_id, client_id, client_name, resource, scope, expires_at)
         VALUES ($1, $2, $3, $4, $5, 'n', 'r', 's', $6)`,
        [grant, tenant, connectorId, person, `client-${age}`, at(age)],
      )
      await query(
        `INSERT INTO oauth_artifacts (key_hash, kind, sealed_payload, expires_at) VALUES ($1, 'AuthorizationCode', 'x', $2)`,
        [randomUUID(), at(age)],
      )
      // both lapsed; one has a grant that lives
      await query(`INSERT INTO oauth_clients (client_id, metadata, expires_at) VALUES ($1, '{}', $2)`, [
        `client-${age}`,
        at(1000),
      ])
      await query(
        `INSERT INTO events (id, tenant_id, connector_id, type, at) VALUES ($1, $2, $3, 'connector.created', $4)`,
        [randomUUID(), tenant, connectorId, at(age)],
      )
      // the first is over once the second signs
      for (const table of ['signing_keys', 'client_keys']) {
        await query(
          `INSERT INTO ${table} (kid, sealed_private_key, public_key, signs_from) VALUES ($1, 'x', '{}', $2)`,
          [randomUUID(), at(Math.max(age, 500))],
        )
      }
      await query(
        `INSERT INTO call_counts (tenant_id, hour_at, connector_id, principal_id, method, tool, client, outcome, calls, total_ms)
         VALUES ($1, $2, $3, $4, 'ping', '', '', 'ok', 1, 1)`,
        [tenant, at(age), connectorId, person],
      )
      await query(
        `INSERT INTO audit_entries (id, tenant_id, at, channel, actor_kind, actor_subject, action)
         VALUES ($1, $2, $3, 'api', 'user', 's', 'a')`,
        [randomUUID(), tenant, at(age)],
      )
      await query(
        `INSERT INTO webhook_deliveries (webhook_id, event_id, tenant_id, type, status, next_attempt_at, created_at)
         VALUES ($1, $1, $2, 't', 'delivered', NULL, $3)`,
        [randomUUID(), tenant, at(age)],
      )
    }
    // old, and still to be sent
    await query(
      `INSERT INTO webhook_deliveries (webhook_id, event_id, tenant_id, type, next_attempt_at, created_at)
       VALUES ($1, $1, $2, 't', $3, $3)`,
      [randomUUID(), tenant, at(1000)],
    )
  }

  // @guards src/storage/housekeeping-store.ts:createPostgresHousekeepingStore
  it('REL-27: deletes what is over, of every kind, and nothing else', async () => {
    await fill()
    const before = await Promise.all(choreNames.map(count))
    expect(before).to.deep.equal(choreNames.map((name) => (name === 'webhook_deliveries' ? 3 : 2)))
    const removed = await keepHouse()
    // flows go with their tickets
    expect(removed).to.deep.equal(
      Object.fromEntries(choreNames.filter((name) => name !== 'flows').map((name) => [name, 1])),
    )
    const after = await Promise.all(choreNames.map(count))
    expect(after).to.deep.equal(choreNames.map((name) => (name === 'webhook_deliveries' ? 2 : 1)))
    expect(await keepHouse()).to.deep.equal({})
  })

  // @guards src/audit/keep-house.ts:createKeepHouse
  it('REL-27: deletes in batches, and no more than so many a run', async () => {
    await query(
      `INSERT INTO rate_counts (key, window_at, count, expires_at)
       SELECT 'k' || i, now(), 1, $1 FROM generate_series(1, 25) AS i`,
      [at(1)],
    )
    expect(await keepHouse({ batchSize: 4, maxBatches: 3 })).to.deep.equal({ rate_counts: 12 })
    expect(await keepHouse({ batchSize: 4 })).to.deep.equal({ rate_counts: 13 })
  })

  it('REL-27: waits for nobody: two at once share the work, and a row that is held is left', async () => {
    await query(
      `INSERT INTO rate_counts (key, window_at, count, expires_at)
       SELECT 'k' || i, now(), 1, $1 FROM generate_series(1, 50) AS i`,
      [at(1)],
    )
    await withConnection(bay.databaseUrl, async (client) => {
      await client.query('BEGIN')
      await client.query("SELECT * FROM rate_counts WHERE key = 'k7' FOR UPDATE")
      const both = await Promise.all([keepHouse({ batchSize: 5 }), keepHouse({ batchSize: 5 })])
      expect(both.reduce((sum, { rate_counts = 0 }) => sum + rate_counts, 0))
        .to.be.at.most(49)
        .and.at.least(40)
      await client.query('ROLLBACK')
    })
    await keepHouse()
    expect(await count('rate_counts')).to.equal(0)
  })

  it('REL-27: is done by the worker', async () => {
    await query(
      `INSERT INTO rate_counts (key, window_at, count, expires_at) VALUES ('k', now(), 1, now() - interval '1 day')`,
    )
    const worker = await startWorker(bay, { HOUSEKEEPING_INTERVAL: '0.2' })
    await until('the row to go', async () => (await count('rate_counts')) === 0)
    expect(await worker.stop()).to.equal(0)
  })
})
