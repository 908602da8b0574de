import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { runCli } from '../support/run-cli.ts'
import { createTestClock } from '../support/test-clock.ts'
import { until } from '../support/until.ts'

const keys = '/api/v1/api-keys'

describe('/api/v1/api-keys', () => {
  const clock = createTestClock()
  let bay: Patchbay
  before(async () => {
    bay = await startPatchbay({ clock })
  })
  after(() => bay.close())

  const make = (body: object, key = bay.admin) => bay.request('POST', keys, { key, body })
  const works = async (key: string) => (await bay.request('GET', '/api/v1/connectors', { key })).status === 200
  const minimal = { label: 'CI', kind: 'service', subject: 'ci' }

  it('is for administrators', async () => {
    const member = await bay.createKey({ subject: 'alice' })
    for (const key of [member, null]) {
      expect((await bay.request('GET', keys, { key })).status).to.equal(key === null ? 401 : 403)
      expect((await bay.request('POST', keys, { key, body: minimal })).status).to.equal(key === null ? 401 : 403)
    }
  })

  // @guards src/http/representations.ts:representApiKey
  it('CR-05: shows a key once, and afterwards only how it begins', async () => {
    const { status, body } = await make(minimal)
    expect(status).to.equal(201)
    expect(body).to.deep.include({
      label: 'CI',
      role: 'member',
      expires_at: null,
      revoked_at: null,
      last_used_at: null,
    })
    expect(body.key).to.match(/^pbk_[\w-]{43}$/)
    expect(await works(body.key)).to.equal(true)
    const listed = await bay.request('GET', keys)
    expect(listed.body.items[0]).to.deep.include({ id: body.id, hint: body.key.slice(0, 10) })
    expect(listed.text).not.to.include(body.key)
    expect(listed.text).not.to.include('hash')
  })

  it('ends a key by its expiry, and by revoking it', async () => {
    const expiresAt = new Date(clock.now().getTime() + 60_000).toISOString()
    const short = (await make({ ...minimal, expires_at: expiresAt })).body
    expect(short.expires_at).to.equal(expiresAt)
    expect(await works(short.key)).to.equal(true)
    clock.advance(61_000)
    expect(await works(short.key)).to.equal(false)
    expect((await make({ ...minimal, expires_at: expiresAt })).status).to.equal(400)

    const { id, key } = (await make(minimal)).body
    expect((await bay.request('DELETE', `${keys}/${id}`)).status).to.equal(204)
    expect(await works(key)).to.equal(false)
    expect((await bay.request('DELETE', `${keys}/${id}`)).status).to.equal(204)
  })

  it('tells when a key was last used', async () => {
    const { id, key } = (await make(minimal)).body
    await works(key)
    await until('the use to be noted', async () => {
      const { body } = await bay.request('GET', keys)
      return body.items.find((item: { id: string }) => item.id === id).last_used_at !== null
    })
  })

  it('gives nobody more than they have', async () => {
    const scoped = await bay.createKey({ subject: 'ops', kind: 'service', role: 'admin', scopes: ['admin'] })
    expect(await make({ ...minimal, scopes: ['connectors:proxy'] }, scoped)).to.include({ status: 403 })
    expect(await make({ ...minimal, role: 'member', scopes: ['admin'] })).to.include({ status: 400 })
    const { body } = await make({ ...minimal, role: 'admin' }, scoped)
    expect(body.scopes).to.deep.equal(['admin'])
    // the operator's key comes from the setting alone
    expect((await make({ ...minimal, subject: 'patchbay-operator' })).status).to.equal(400)
  })

  it('shows and revokes no key of another tenant', async () => {
    const other = await bay.createKey({ subject: 'root', role: 'admin', tenant: 'other' })
    const { id, key } = (await make(minimal)).body
    expect((await bay.request('DELETE', `${keys}/${id}`, { key: other })).status).to.equal(404)
    expect(await works(key)).to.equal(true)
    const { body } = await bay.request('GET', keys, { key: other })
    expect([body.total_count, body.items[0].label]).to.deep.equal([1, 'root'])
  })

  // @guards src/cli/record-act.ts:recordAct
  it('AU-01: has a tenant made by "patchbay tenants", and its first key by "patchbay api-keys"', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tenants '))
    const { DATABASE_URL = '', ENCRYPTION_KEYS = '' } = bay.env
    const run = (...args: string[]) => runCli(args, { folder, env: { DATABASE_URL, ENCRYPTION_KEYS } })
    expect(await run('tenants', 'create', 'acme', '--name', 'Acme Inc.')).to.include({ exitCode: 0 })
    expect(await run('tenants', 'create', 'acme')).to.deep.include({
      exitCode: 1,
      stderr: 'There is a tenant "acme" already.\n',
    })
    expect((await run('tenants', 'create', 'No Slug')).exitCode).to.equal(1)
    expect((await run('tenants', 'list')).stdout).to.match(/acme +Acme Inc\./)
    const { stdout } = await run('api-keys', 'create', '--tenant', 'acme', '--role', 'admin', '--label', 'first')
    expect((await bay.request('GET', keys, { key: stdout.trim() })).body.total_count).to.equal(1)
    const acts = await withConnection(bay.databaseUrl, async (client) => {
      const sql = "SELECT action, outcome, target_type, tenant_id FROM audit_entries WHERE channel = 'cli' ORDER BY id"
      return (await client.query(sql)).rows
    })
    expect(acts.map(({ action, outcome, target_type }) => `${action} ${target_type} ${outcome}`)).to.deep.equal([
      'createTenant tenant ok',
      'createTenant tenant ok',
      'createApiKey api_key ok',
    ])
    expect(acts.map(({ tenant_id }) => tenant_id === null)).to.deep.equal([true, true, false])
    const { body } = await bay.request('GET', '/api/v1/audit?channel=cli', { key: stdout.trim() })
    expect(body.items[0]).to.include({ action: 'createApiKey', outcome: 'ok', address: hostname() })
    expect(body.items[0].actor).to.include({ kind: 'operator', subject: userInfo().username })
    await rm(folder, { recursive: true })
  })
})
