import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { hostBrowser } from '../support/host.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost, type RawHost } from '../support/raw-host.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { type ScriptedUpstream, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../support/upstreams/serve-mcp.ts'

describe('what people gave to apps', function () {
  this.timeout(30_000)
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  let connector: string
  let host: RawHost
  let clientId: string
  const keys = { alice: '', bob: '', stranger: '' }

  before(async () => {
    upstream = await startScriptedUpstream((request) => {
      if (request.method !== 'GET') return serveMcp(request)
      return (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n')
    })
    patchbay = await startPatchbay()
    connector = await createConnector(patchbay, upstream.url, { credential_scope: 'tenant' })
    await patchbay.request('POST', `/api/v1/connectors/${connector}/connect`)
    host = createRawHost(patchbay, connector)
    clientId = (await host.register({ client_name: 'A <b>host</b>' })).body.client_id
    keys.alice = await patchbay.createKey({ subject: 'alice' })
    keys.bob = await patchbay.createKey({ subject: 'bob' })
    keys.stranger = await patchbay.createKey({ subject: 'alice', role: 'admin', tenant: 'elsewhere' })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  /** What Alice allows the host. */
  async function allowed() {
    const { body } = await host.redeem(clientId, await host.authorize(clientId))
    const [newest] = (await list(keys.alice)).items
    return { ...body, id: newest?.id ?? '' } as { access_token: string; refresh_token: string; id: string }
  }
  const list = async (key: string) =>
    (await patchbay.request('GET', '/api/v1/grants', { key })).body as { items: { id: string }[]; total_count: number }
  const revoke = async (key: string, id: string) =>
    (await patchbay.request('DELETE', `/api/v1/grants/${id}`, { key })).status

  /** Opens the stream of server messages; settles with how long it went on once `act` was done. */
  async function streamedUntil(accessToken: string, act: () => Promise<unknown>): Promise<number> {
    const response = await fetch(host.resource, {
      headers: { authorization: `Bearer ${accessToken}`, accept: 'text/event-stream' },
    })
    const reader = response.body?.getReader()
    await reader?.read()
    await act()
    const from = Date.now()
    for (;;) {
      const { done } = (await reader?.read().catch(() => undefined)) ?? { done: true }
      if (done) return Date.now() - from
    }
  }

  describe('GET /api/v1/grants', () => {
    it('CN-16: lists one’s own, a manager those of the organisation, nobody those of another', async () => {
      const { id } = await allowed()
      const [item] = (await list(keys.alice)).items
      expect(item).to.deep.include({
        id,
        connector_id: connector,
        subject: 'alice',
        client_name: 'A <b>host</b>',
        scope: 'mcp',
      })
      expect((await list(keys.bob)).total_count).to.equal(0)
      expect((await list(keys.stranger)).total_count).to.equal(0)
      expect((await list(patchbay.admin)).items.map((grant) => grant.id)).to.include(id)
    })

    it('goes on from page to page', async () => {
      await allowed()
      const first = await patchbay.request('GET', '/api/v1/grants?limit=1', { key: keys.alice })
      const next = `/api/v1/grants?limit=1&page_token=${first.body.next_page_token}`
      const second = await patchbay.request('GET', next, { key: keys.alice })
      expect(first.body).to.include({ has_more: true })
      expect(second.body.items[0].id).to.not.equal(first.body.items[0].id)
    })
  })

  describe('DELETE /api/v1/grants/{id}', () => {
    // @guards src/storage/grant-store.ts:createPrismaGrantStore
    it('TK-05, CN-16, RT-11: ends tokens at once and open streams within five seconds', async () => {
      const { id, access_token: token, refresh_token: refreshToken } = await allowed()
      expect(await host.call(token), 'control').to.equal(200)
      const went = await streamedUntil(token, async () => expect(await revoke(keys.alice, id)).to.equal(204))
      expect(went).to.be.below(5000)
      await host.refused(token)
      const refreshed = await host.refresh(clientId, refreshToken)
      expect([refreshed.status, refreshed.body.error]).to.deep.equal([400, 'invalid_grant'])
      expect(await revoke(keys.alice, id), 'again').to.equal(404)
    })

    it('is for its person and for managers, to everybody else it is not there', async () => {
      const { id, access_token: token } = await allowed()
      expect(await revoke(keys.bob, id)).to.equal(404)
      expect(await revoke(keys.stranger, id)).to.equal(404)
      expect(await revoke(token, id), 'the host itself').to.equal(401)
      expect(await host.call(token)).to.equal(200)
      expect(await revoke(patchbay.admin, id)).to.equal(204)
    })

    // @guards src/proxy/end-revoked.ts:endRevoked
    it('TK-10: outlives a signing key that is gone, whose tokens and open streams end', async () => {
      const { access_token: token, refresh_token: refreshToken } = await allowed()
      const deleteKeys = () =>
        withConnection(patchbay.databaseUrl, (client) => client.query('DELETE FROM signing_keys'))
      expect(await streamedUntil(token, deleteKeys)).to.be.below(5000)
      await host.refused(token)
      const { body } = await host.refresh(clientId, refreshToken)
      expect(await host.call(body.access_token)).to.equal(200)
    })

    it('RT-11: a person who is gone takes their grants along', async () => {
      const { access_token: token, refresh_token: refreshToken } = await allowed()
      await withConnection(patchbay.databaseUrl, (client) =>
        client.query("DELETE FROM principals WHERE subject = 'alice' AND id IN (SELECT principal_id FROM grants)"),
      )
      await host.refused(token)
      expect((await host.refresh(clientId, refreshToken)).body.error).to.equal('invalid_grant')
      keys.alice = await patchbay.createKey({ subject: 'alice' })
    })
  })

  describe('/account', () => {
    it('CN-16: shows a person what they gave, and takes it back with one press', async () => {
      const { access_token: token } = await allowed()
      const browser = createBrowser()
      expect((await browser.open(`${patchbay.url}/account`)).title).to.equal('Who are you?')
      const page = await browser.submit({ button: 'name', fields: { name: 'alice' } })
      expect(page.text).to.include('You are alice').and.include('A <b>host</b>')
      const after = await browser.submit({ button: 'revoke' })
      expect(after.text).to.include('Taken back')
      await host.refused(token)
      expect((await browser.submit({ button: 'leave' })).title).to.equal('Who are you?')
    })

    it('CN-09: takes only its own form, and only of the person that it was shown to', async () => {
      const { id, access_token: token } = await allowed()
      const browser = createBrowser()
      await browser.open(`${patchbay.url}/account`)
      const bobs = await browser.submit({ button: 'name', fields: { name: 'bob' } })
      const cookie = browser.cookies.header(new URL(patchbay.url), { isSameSite: true, method: 'POST' })
      const formToken = /name="form_token" value="([\w-]+)"/.exec(bobs.html)?.[1] ?? ''
      const post = async (fields: Record<string, string>, headers: Record<string, string> = {}) =>
        (
          await fetch(`${patchbay.url}/account`, {
            method: 'POST',
            headers: { cookie, ...headers },
            body: new URLSearchParams({ action: 'revoke', grant_id: id, form_token: formToken, ...fields }),
          })
        ).status
      expect(await post({ form_token: 'x' })).to.equal(403)
      expect(await post({}, { 'sec-fetch-site': 'cross-site' })).to.equal(403)
      expect(await post({}), 'somebody else’s').to.equal(200)
      expect(await host.call(token), 'which changed nothing').to.equal(200)
    })

    it('shows who came with a connect token that connector only', async () => {
      await allowed()
      const other = await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
      const { body } = await patchbay.request('POST', `/api/v1/connectors/${other}/connect-tokens`, { key: keys.alice })
      const elsewhere = createRawHost(patchbay, other)
      const browser = hostBrowser()
      await browser.open(elsewhere.authorizationUrl((await elsewhere.register()).body.client_id))
      await browser.submit({ button: 'connect_token', fields: { connect_token: body.connect_token } })
      expect((await browser.open(`${patchbay.url}/account`)).text).to.include('No app may use a connector as you.')
    })
  })
})
