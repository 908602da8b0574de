import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'

const audit = '/api/v1/audit'
const nobodys = '01900000-0000-7000-8000-000000000000'

type Entry = {
  id: string
  at: string
  ended_at: string | null
  channel: string
  actor: { id: string; kind: string; subject: string; api_key_id: string; api_key_label: string }
  address: string
  request_id: string
  action: string
  target: { type: string; id: string | null }
  fields: string[]
  outcome: string
  code: string | null
}

describe('GET /api/v1/audit', () => {
  let bay: Patchbay
  let alice: string
  before(async () => {
    bay = await startPatchbay()
    alice = await bay.createKey({ subject: 'alice' })
  })
  after(() => bay.close())

  const list = async (query = '', key = bay.admin): Promise<Entry[]> => {
    const { status, body } = await bay.request('GET', `${audit}?limit=100${query}`, { key })
    expect(status).to.equal(200)
    return body.items
  }
  const newest = async (query = ''): Promise<Entry> => {
    const [entry] = await list(query)
    if (entry === undefined) throw new Error('no entry')
    return entry
  }
  const query = (sql: string, values: unknown[] = []) =>
    withConnection(bay.databaseUrl, async (client) => (await client.query(sql, values)).rows)

  // @guards src/http/api-acts.ts:apiAct
  it('AU-01: tells who did what to which connector, from where, and what came of it', async () => {
    const made = await bay.request('POST', '/api/v1/connectors', {
      key: alice,
      body: { url: 'https://mcp.example.com/a', label: 'a' },
    })
    const entry = await newest('&subject=alice')
    expect(entry).to.deep.include({
      channel: 'api',
      action: 'createConnector',
      target: { type: 'connector', id: made.body.id },
      fields: ['url', 'label'],
      outcome: 'ok',
      code: null,
      address: '127.0.0.1',
      request_id: made.headers.get('x-request-id'),
    })
    expect(entry.actor).to.include({ kind: 'user', subject: 'alice', api_key_label: 'alice' })
    expect(entry.actor.id).to.equal(made.body.created_by)
    expect(Date.parse(entry.ended_at ?? '')).to.be.at.least(Date.parse(entry.at))
  })

  // @guards src/http/api-acts.ts:isAct
  it('AU-01: has an entry for each operation of the API that is no GET', async () => {
    const { paths } = bay.app.openApi as { paths: Record<string, Record<string, { operationId: string }>> }
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ path, method, operationId })),
    )
    const acts = operations.filter(({ method }) => method !== 'get')
    expect(acts.length).to.be.greaterThan(15)
    for (const { path, method, operationId } of acts) {
      const address = path.replace('{id}', nobodys).replace('{delivery_id}', nobodys)
      const before = (await query('SELECT count(*)::int AS n FROM audit_entries WHERE action = $1', [operationId]))[0].n
      const { status } = await bay.request(method.toUpperCase(), address, { body: bodies[operationId] })
      expect(status, operationId).not.to.equal(400)
      const after = (await query('SELECT count(*)::int AS n FROM audit_entries WHERE action = $1', [operationId]))[0].n
      expect(after - before, operationId).to.equal(1)
    }
  })

  // @guards src/audit/audit-log.ts:createAuditLog
  it('AU-01: does nothing that cannot be written down', async () => {
    await query('ALTER TABLE audit_entries RENAME TO audit_entries_away')
    const body = { url: 'https://mcp.example.com/unwritten' }
    const refused = await bay.request('POST', '/api/v1/connectors', { body })
    await query('ALTER TABLE audit_entries_away RENAME TO audit_entries')
    expect(refused.status).to.equal(500)
    expect(await query('SELECT FROM connectors WHERE url = $1', [body.url])).to.have.length(0)
    expect((await bay.request('POST', '/api/v1/connectors', { body })).status, 'negative control').to.equal(201)
  })

  // @guards src/audit/audit-log.ts:createAuditLog
  it('AU-01: leaves the entry of an act unfinished that nobody saw the end of', async () => {
    await query(
      "CREATE RULE never_ended AS ON UPDATE TO audit_entries WHERE NEW.action = 'deleteConnector' DO INSTEAD NOTHING",
    )
    const id = await createConnector(bay, 'https://mcp.example.com/b')
    expect((await bay.request('DELETE', `/api/v1/connectors/${id}`)).status).to.equal(204)
    await query('DROP RULE never_ended ON audit_entries')
    expect(await list(`&target_id=${id}&outcome=unfinished`)).to.have.length(1)
    expect((await newest(`&target_id=${id}&outcome=unfinished`)).ended_at).to.equal(null)
    expect((await newest(`&target_id=${id}&outcome=ok`)).action, 'negative control').to.equal('createConnector')
  })

  // @guards src/audit/audit-log.ts:isRefusal
  it('AU-04: writes down what was refused to a known principal, to one with a key that is over as well', async () => {
    const id = await createConnector(bay, 'https://mcp.example.com/c')
    await bay.request('GET', '/api/v1/api-keys', { key: alice })
    expect(await newest('&subject=alice')).to.include({ action: 'listApiKeys', outcome: 'refused', code: 'forbidden' })
    await bay.request('GET', `/api/v1/connectors/${nobodys}`, { key: alice })
    expect(await newest('&subject=alice')).to.deep.include({
      action: 'getConnector',
      outcome: 'refused',
      code: 'not_found',
      target: { type: 'connector', id: nobodys },
    })
    const shared = await createConnector(bay, 'https://mcp.example.com/d', { credential_scope: 'tenant' })
    await bay.request('DELETE', `/api/v1/connectors/${shared}`, { key: alice })
    expect(await newest('&subject=alice')).to.include({
      action: 'deleteConnector',
      outcome: 'refused',
      code: 'forbidden',
    })

    const key = await bay.createKey({ subject: 'leaver' })
    const { items } = (await bay.request('GET', '/api/v1/api-keys')).body
    await bay.request('DELETE', `/api/v1/api-keys/${items[0].id}`)
    expect((await bay.request('DELETE', `/api/v1/connectors/${id}`, { key })).status).to.equal(401)
    const refused = await newest('&subject=leaver')
    expect(refused).to.include({ action: 'deleteConnector', outcome: 'refused', code: 'unauthenticated' })
    expect(refused.actor.api_key_id).to.equal(items[0].id)
  })

  it('writes down neither what is read, nor what nobody known asks for', async () => {
    const before = (await query('SELECT count(*)::int AS n FROM audit_entries'))[0].n
    await bay.request('GET', '/api/v1/connectors', { key: alice })
    await bay.request('GET', '/api/v1/connectors', { key: null })
    await bay.request('GET', '/api/v1/connectors', { key: `pbk_${'x'.repeat(43)}` })
    expect((await query('SELECT count(*)::int AS n FROM audit_entries'))[0].n).to.equal(before)
  })

  // @guards src/http/api-acts.ts:apiAct
  it('AU-03: holds no value that was given, not even where an id is expected', async () => {
    const secret = 'canary-3f9c1e7a'
    const body = {
      url: `https://mcp.example.com/e?${secret}`,
      client_id: 'c',
      client_secret: secret,
      metadata: { [secret]: secret },
    }
    const { id } = (await bay.request('POST', '/api/v1/connectors', { body })).body
    await bay.request('POST', `/api/v1/connectors/${id}/connect/complete`, { body: { completion: secret } })
    await bay.request('DELETE', `/api/v1/connectors/${secret}`)
    await bay.request('POST', '/api/v1/connectors', { body: { [secret]: secret } })
    const rows = JSON.stringify(await query('SELECT * FROM audit_entries'))
    expect(rows).not.to.include(secret)
    expect(rows).to.include('client_secret')
  })

  // the table itself refuses: no code of ours has to be asked
  // @guards src/storage/audit-store.ts:createPostgresAuditStore
  it('AU-02: cannot be changed once it is ended, nor in anything but its end', async () => {
    await createConnector(bay, 'https://mcp.example.com/f')
    const { id } = await newest()
    const change = async (sql: string) => {
      try {
        await query(`UPDATE audit_entries SET ${sql} WHERE id = $1`, [id])
        return 'changed'
      } catch (error) {
        return (error as Error).message
      }
    }
    for (const sql of [
      "outcome = 'failed'",
      'outcome = NULL',
      "actor_subject = 'nobody'",
      "address = '192.0.2.1'",
      'at = now()',
    ])
      expect(await change(sql), sql).to.equal('an audit entry is not changed')
    const open = '01900000-0000-7000-8000-0000000000aa'
    await query(
      `INSERT INTO audit_entries (id, channel, actor_kind, actor_subject, action) VALUES ($1, 'api', 'user', 's', 'a')`,
      [open],
    )
    const end = (sql: string) => query(`UPDATE audit_entries SET ${sql} WHERE id = $1`, [open])
    const refused = await end("outcome = 'ok', actor_subject = 'x'").catch((error: Error) => error.message)
    expect(refused).to.equal('an audit entry is not changed')
    await end("outcome = 'ok'")
  })

  // @guards src/storage/audit-store.ts:createPostgresAuditStore
  it('AU-05: shows a tenant its own entries, and only to who has the scope', async () => {
    const other = await bay.createKey({ subject: 'root', role: 'admin', tenant: 'other' })
    await bay.request('POST', '/api/v1/connectors', { key: other, body: { url: 'https://mcp.example.com/theirs' } })
    expect((await list('', other)).map(({ actor }) => actor.subject)).to.deep.equal(['root'])
    expect((await list()).map(({ actor }) => actor.subject)).not.to.include('root')
    expect((await bay.request('GET', audit, { key: alice })).status).to.equal(403)
    expect((await bay.request('GET', `${audit}/export`, { key: alice })).status).to.equal(403)
    const reader = await bay.createKey({ subject: 'siem', kind: 'service', role: 'admin', scopes: ['audit'] })
    expect(await list('', reader)).not.to.have.length(0)
    expect((await bay.request('GET', '/api/v1/api-keys', { key: reader })).status).to.equal(403)
    const { body } = await bay.request('GET', audit, { key: other })
    expect([body.total_count, body.has_more]).to.deep.equal([1, false])
  })

  it('filters by what, who, how it ended and when, page by page', async () => {
    for (const name of ['g', 'h', 'i']) await createConnector(bay, `https://mcp.example.com/${name}`, { key: alice })
    const { at } = await newest('&subject=alice')
    expect(await list(`&since=${encodeURIComponent(new Date(Date.parse(at) + 1).toISOString())}`)).to.deep.equal([])
    expect((await list(`&until=${encodeURIComponent(at)}`)).some((entry) => entry.at >= at)).to.equal(false)
    expect(
      new Set((await list('&action=createConnector&outcome=ok&channel=api')).map(({ action }) => action)),
    ).to.deep.equal(new Set(['createConnector']))
    const first = (await bay.request('GET', `${audit}?limit=2&subject=alice`)).body
    const second = (await bay.request('GET', `${audit}?limit=2&subject=alice&page_token=${first.next_page_token}`)).body
    const ids = [...first.items, ...second.items].map(({ id }: Entry) => id)
    expect(ids).to.deep.equal([...ids].sort().reverse())
    expect(new Set(ids).size).to.equal(4)
    expect(first.total_count).to.equal((await list('&subject=alice')).length)
    for (const wrong of ['outcome=fine', 'since=yesterday', 'limit=101', 'target_id=x', 'nothing=1'])
      expect((await bay.request('GET', `${audit}?${wrong}`)).status, wrong).to.equal(400)
  })

  describe('/export', () => {
    const lines = (text: string): Entry[] =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))

    it('is a file of lines, oldest first, that can be read on from any of them', async () => {
      await query(
        `INSERT INTO audit_entries (id, tenant_id, channel, actor_kind, actor_subject, action, outcome)
         SELECT gen_random_uuid(), (SELECT id FROM tenants WHERE slug = 'default'), 'api', 'user', 'bulk', 'many', 'ok'
         FROM generate_series(1, 1203)`,
      )
      const all = await bay.request('GET', `${audit}/export?action=many`)
      expect(all.headers.get('content-type')).to.equal('application/x-ndjson; charset=utf-8')
      const ids = lines(all.text).map(({ id }) => id)
      expect(ids).to.have.length(1203)
      expect(ids).to.deep.equal([...ids].sort())
      const some = lines((await bay.request('GET', `${audit}/export?action=many&limit=501`)).text)
      const rest = lines((await bay.request('GET', `${audit}/export?action=many&after=${some.at(-1)?.id}`)).text)
      expect([...some, ...rest].map(({ id }) => id)).to.deep.equal(ids)
      expect((await bay.request('GET', `${audit}/export?limit=1000001`)).status).to.equal(400)
      expect((await bay.request('GET', `${audit}/export?action=none`)).text).to.equal('')
    })

    it('is cut off, and not just short, when the database goes away in its midst', async () => {
      await query(`CREATE FUNCTION fail_late(text) RETURNS text STABLE LANGUAGE plpgsql AS $$
        BEGIN IF $1 = 'many-799' THEN RAISE EXCEPTION 'gone' USING ERRCODE = '57P01'; END IF; RETURN $1; END $$`)
      await query(
        `INSERT INTO audit_entries (id, tenant_id, channel, actor_kind, actor_subject, action, code, outcome)
         SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
           (SELECT id FROM tenants WHERE slug = 'default'), 'api', 'user', 'late', 'late', 'many-' || n, 'ok'
         FROM generate_series(1, 900) AS n`,
      )
      await query('ALTER TABLE audit_entries RENAME TO audit_entries_real')
      await query(`CREATE VIEW audit_entries AS SELECT id, tenant_id, at, ended_at, channel, actor_id, actor_kind, actor_subject,
        credential_id, credential_label, address, request_id, action, target_type, target_id, fields, outcome,
        fail_late(code) AS code FROM audit_entries_real`)
      const broken = await bay.request('GET', `${audit}/export?action=late`).catch((error: Error) => error.message)
      const whole = await bay.request('GET', `${audit}/export?action=late&limit=700`)
      await query('DROP VIEW audit_entries')
      await query('ALTER TABLE audit_entries_real RENAME TO audit_entries')
      expect(broken).to.equal('terminated')
      expect(lines(whole.text), 'negative control').to.have.length(700)
    })
  })
})

const bodies: Readonly<Record<string, object>> = {
  createConnector: { url: 'https://mcp.example.com/each' },
  updateConnector: { enabled: true },
  connectConnector: {},
  completeConnect: { completion: 'c'.repeat(43) },
  createConnectToken: { subject: 'bob' },
  diagnose: { url: 'https://mcp.example.com/mcp' },
  createWebhook: { url: 'https://hooks.example.com/' },
  updateWebhook: { enabled: true },
  rotateWebhookSecret: {},
  replayWebhook: { since: '2026-01-01T00:00:00Z' },
  createApiKey: { label: 'x', kind: 'service', subject: 'x' },
}
