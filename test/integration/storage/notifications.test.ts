import { expect } from 'chai'
import type { Connection } from '../../../src/connections/connection.ts'
import type { LeaseStore } from '../../../src/connections/lease-store.ts'
import type { ConnectionChanges } from '../../../src/connections/store.ts'
import type { Change } from '../../../src/kernel/changes.ts'
import { newId } from '../../../src/kernel/id.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createLateAnnouncements } from '../../../src/storage/late-announcements.ts'
import { createPostgresLeaseStore } from '../../../src/storage/lease-store.ts'
import { createNotifications } from '../../../src/storage/notifications.ts'
import { openPool } from '../../../src/storage/prisma-client.ts'
import { startDatabaseRelay } from '../../support/database-relay.ts'
import { silentLog } from '../../support/silent-log.ts'
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts'
import { until } from '../../support/until.ts'

describe('createNotifications', () => {
  let database: TestDatabase
  let notifications: ReturnType<typeof createNotifications>
  let heard: Change[]
  let moods: string[]

  before(async () => {
    database = await createTestDatabase()
  })
  after(() => database.drop())
  beforeEach(() => {
    heard = []
    moods = []
    notifications = createNotifications({
      url: new Secret(database.url),
      log: silentLog,
      heartbeatMs: 500,
      retryMs: 20,
    })
    notifications.subscribe({
      onChange: (change) => void heard.push(change),
      onLive: () => void moods.push('live'),
      onLost: () => void moods.push('lost'),
    })
  })
  afterEach(() => notifications.close())

  const run = (sql: string, values: unknown[] = []) =>
    withConnection(database.url, async (client) => void (await client.query(sql, values)))
  const isLive = () => notifications.isLive()
  /** Everything announced so far has been heard once this has. */
  const settle = async () => {
    const mark = newId()
    await run(`SELECT pg_notify('patchbay_changes', 'mark:' || $1)`, [mark])
    await until('the mark', () => heard.some(({ ids }) => ids[0] === mark))
    return heard.filter(({ kind }) => kind !== 'mark').map(({ kind, ids }) => [kind, ...ids].join(' '))
  }

  async function populate() {
    const ids = { tenant: newId(), principal: newId(), key: newId(), connector: newId(), connection: newId() }
    await run(`INSERT INTO tenants (id, slug, name) VALUES ($1, gen_random_uuid()::text, '')`, [ids.tenant])
    await run(`INSERT INTO principals (id, tenant_id, kind, subject) VALUES ($1, $2, 'user', 'a')`, [
      ids.principal,
      ids.tenant,
    ])
    await run(
      `INSERT INTO api_keys (id, tenant_id, principal_id, label, role, key_hash, hint) VALUES ($1, $2, $3, '', 'member', gen_random_uuid()::text, '')`,
      [ids.key, ids.tenant, ids.principal],
    )
    await run(
      `INSERT INTO connectors (id, tenant_id, owner_kind, owner_id, url, url_key, credential_scope, created_by_principal_id, updated_at)
       VALUES ($1, $2, 'tenant', '*', 'https://a.example/', 'https://a.example/', 'user', $3, now())`,
      [ids.connector, ids.tenant, ids.principal],
    )
    await run(
      `INSERT INTO connections (id, tenant_id, connector_id, scope, subject_id, updated_at) VALUES ($1, $2, $3, 'user', 'a', now())`,
      [ids.connection, ids.tenant, ids.connector],
    )
    return ids
  }

  // @guards src/storage/notifications.ts:createNotifications
  it('TK-05: hears of keys, connectors and grants that change, whoever changes them', async () => {
    await until('the line', isLive)
    const { tenant, principal, key, connector, connection } = await populate()
    expect(await settle()).to.deep.equal([`connection ${connector} ${connection}`])
    heard.length = 0
    await run('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [key])
    await run('UPDATE connectors SET enabled = false WHERE id = $1', [connector])
    await run('UPDATE connections SET token_version = 1 WHERE id = $1', [connection])
    await run('UPDATE connections SET grant_epoch = 1 WHERE id = $1', [connection])
    expect(await settle()).to.deep.equal([
      `api_key ${key}`,
      `connector ${connector}`,
      `connection ${connector} ${connection}`,
      `grant ${connector} ${connection}`,
    ])
    heard.length = 0
    await run('DELETE FROM tenants WHERE id = $1', [tenant])
    expect(await settle()).to.have.members([
      `api_key ${key}`,
      `principal ${principal}`,
      `connector ${connector}`,
      `grant ${connector} ${connection}`,
    ])
  })

  // @guards src/storage/change-connection.ts:writeStatement
  it('TK-05: hears of renewals together, after their commits, and of a grant that is over with its own', async () => {
    await until('the line', isLive)
    const { tenant, connector, connection } = await populate()
    await settle()
    const pool = openPool({ url: new Secret(database.url), poolSize: 2 })
    try {
      const quiet: string[] = []
      const leases = createPostgresLeaseStore(pool, { renewed: ({ id }) => void quiet.push(id) })
      const change = async (store: LeaseStore, tokenVersion: number, changes: ConnectionChanges) => {
        const seen = { id: connection, tenantId: tenant, connectorId: connector, grantEpoch: 0, tokenVersion }
        const settlement = { changes, refreshStartedAt: null, isHolderOnly: false }
        expect(await store.settle(seen as Connection, newId(), settlement)).to.include({ connectorId: connector })
      }
      heard.length = 0
      await change(leases, 0, { tokenVersion: 1 })
      expect(await settle(), 'left to its process').to.deep.equal([])
      expect(quiet).to.deep.equal([connection])

      const announcements = createLateAnnouncements(pool)
      const announcing = createPostgresLeaseStore(pool, announcements)
      await change(announcing, 1, { tokenVersion: 2 })
      await announcements.close()
      expect(await settle()).to.deep.equal([`connection ${connector} ${connection}`])

      heard.length = 0
      await change(leases, 2, { grantEpoch: 1, state: 'disconnected' })
      const over = [`connection ${connector} ${connection}`, `grant ${connector} ${connection}`]
      expect(await settle(), 'a control: all else is announced by the database').to.have.members(over)
    } finally {
      await pool.end()
    }
  })

  it('hears nothing of what changes nothing for callers, nor of what is rolled back', async () => {
    await until('the line', isLive)
    const { key, connector, connection } = await populate()
    await settle()
    heard.length = 0
    await run('UPDATE api_keys SET hint = hint, revoked_at = NULL WHERE id = $1', [key])
    await run(`UPDATE connectors SET label = 'new' WHERE id = $1`, [connector])
    await run('UPDATE connections SET lease_until = now(), next_refresh_at = now(), fail_count = 1 WHERE id = $1', [
      connection,
    ])
    await run('BEGIN; UPDATE connections SET grant_epoch = 9; ROLLBACK')
    expect(await settle()).to.deep.equal([])
  })

  it('gets a line back that was cut, and tells of both', async () => {
    await until('the line', isLive)
    await run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'patchbay-listen' AND datname = current_database()`)
    await until('the line to be back', () => moods.length >= 3)
    expect(moods).to.deep.equal(['live', 'lost', 'live'])
    await settle()
  })

  // @guards src/storage/notifications.ts:createNotifications
  it('TK-05: a line on which announcements do not arrive is never taken for one, though it answers statements', async () => {
    const relays = await Promise.all([true, false].map((isDeaf) => startDatabaseRelay(database.url, { isDeaf })))
    const warnings: string[] = []
    const log = { ...silentLog, warn: (facts: object) => void warnings.push(String(Object.values(facts)[0])) }
    const lines = relays.map(({ url }) =>
      createNotifications({ url: new Secret(url), log, heartbeatMs: 200, retryMs: 20 }),
    )
    const [deaf, hearing] = lines
    try {
      for (const line of lines) line.subscribe({ onChange: () => {}, onLive: () => {}, onLost: () => {} })
      await until('the control to be live', () => hearing?.isLive() === true)
      await until('the warning', () => warnings.length > 0)
      expect(warnings[0]).to.include('DATABASE_URL must lead to PostgreSQL itself')
      expect(deaf?.isLive()).to.equal(false)
      expect(hearing?.isLive(), 'the control').to.equal(true)
    } finally {
      for (const line of lines) await line.close()
      for (const relay of relays) await relay.close()
    }
  })
})
