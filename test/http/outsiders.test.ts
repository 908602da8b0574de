import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { callTool } from '../support/call-tool.ts'
import { authorize, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { connectTo } from '../support/refreshing.ts'
import { until } from '../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

describe('what those without a key are told', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth()])
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  const ask = (path: string) => patchbay.request('GET', path, { key: null })

  // @guards src/http/routes/service-routes.ts:createServiceRoutes
  it('AP-14: whether it works and what is wrong, no version, no host and no name', async () => {
    const healthy = await ask('/healthz')
    expect(healthy.body).to.deep.equal({ status: 'ok' })
    expect((await ask('/readyz')).body.status).to.equal('ready')

    const rename = (from: string, to: string) =>
      withConnection(patchbay.databaseUrl, (client) => client.query(`ALTER TABLE ${from} RENAME TO ${to}`))
    await rename('_prisma_migrations', 'migrations_away')
    await until('it notices', async () => (await ask('/readyz')).status === 503)
    const broken = await ask('/readyz')
    await rename('migrations_away', '_prisma_migrations')
    const { hostname, port, pathname, username } = new URL(patchbay.databaseUrl)
    const version = await withConnection(patchbay.databaseUrl, (client) => client.query('SHOW server_version'))
    const names = [hostname, port, pathname.slice(1), username, version.rows[0].server_version, '0.1.0', 'stack']
    expect(broken.text).to.include('detail')
    for (const name of names) expect(broken.text, name).not.to.include(`${name}`)
    for (const { headers } of [healthy, broken])
      expect([headers.get('server'), headers.get('x-powered-by')]).to.deep.equal([null, null])
  })

  // @guards src/metrics/metrics.ts:createMetrics
  it('AP-14: no metrics, which name nobody and no address where they are', async () => {
    expect((await ask('/metrics')).status).to.equal(404)
    const id = await connectTo(patchbay, upstream, { label: 'a-telling-label' })
    await callTool(patchbay, id, 'ping')
    await createConnector(patchbay, 'https://telling.example.com/mcp')
    const { text } = await patchbay.app.metrics.render()
    for (const told of [id, 'telling', new URL(upstream.url).host, 'admin']) expect(text, told).not.to.include(told)
    expect(text, 'control').to.match(/patchbay_http_requests_total\{[^}]*2xx[^}]*\} [1-9]/)
  })

  // @guards src/storage/flow-stores.ts:createPrismaRegistrationStore
  it('TN-07: tenants with the same URL share no registration', async () => {
    const registrations = () => upstream.received.filter(({ target }) => target === '/register').length
    const clients = () =>
      withConnection(patchbay.databaseUrl, async (client) => {
        const { rows } = await client.query('SELECT tenant_id, client_id FROM client_registrations WHERE issuer = $1', [
          upstream.origin,
        ])
        return rows as { tenant_id: string; client_id: string }[]
      })
    await connectTo(patchbay, upstream, { label: 'first' })
    const before = registrations()
    await connectTo(patchbay, upstream, { label: 'second' })
    expect(registrations(), 'control: within a tenant it is shared').to.equal(before)
    const key = await patchbay.createKey({ subject: 'root', kind: 'service', role: 'admin', tenant: 'other' })
    const id = await createConnector(patchbay, upstream.url, { key })
    await authorize(patchbay, id, { key })
    expect(registrations()).to.equal(before + 1)
    const rows = await clients()
    expect(new Set(rows.map((row) => row.tenant_id)).size).to.equal(2)
    expect(new Set(rows.map((row) => row.client_id)).size).to.equal(2)
  })
})
