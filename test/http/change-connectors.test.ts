import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { askForLink, authorize, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'

describe('changing and deleting connectors', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let count = 0
  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth({ expiresInSeconds: 3600 })])
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  describe(`PATCH ${connectors}/{id}`, () => {
    const patch = (id: string, body: object, key = patchbay.admin) =>
      patchbay.request('PATCH', `${connectors}/${id}`, { key, body })
    const make = (fields: object = {}) => {
      count += 1
      return createConnector(patchbay, `https://patched-${count}.example/mcp`, { ...fields })
    }
    const read = async (id: string) => (await patchbay.request('GET', `${connectors}/${id}`)).body

    it('changes what is named and leaves the rest', async () => {
      const id = await make({ metadata: { name: 'before' }, label: 'x', scopes: ['a'] })
      const before = await read(id)
      const { status, body } = await patch(id, { label: 'y' })
      expect([status, body.label, body.metadata]).to.deep.equal([200, 'y', { name: 'before' }])
      expect({ ...body, label: 'x', updated_at: before.updated_at }).to.deep.equal(before)
      expect(body.updated_at > before.updated_at).to.equal(true)
    })

    it('replaces metadata as a whole, and clears it with null', async () => {
      const id = await make({ metadata: { a: '1', b: '2' } })
      expect((await patch(id, { metadata: { c: '3' } })).body.metadata).to.deep.equal({ c: '3' })
      expect((await patch(id, { metadata: null })).body.metadata).to.equal(null)
    })

    it('takes an empty change', async () => {
      expect((await patch(await make(), {})).status).to.equal(200)
    })

    it('sets, shows and clears the client; its secret is never shown and goes with it', async () => {
      const id = await make()
      const set = await patch(id, { client_id: 'c', client_secret: 'hidden' })
      expect(set.body).to.include({ client_id: 'c', has_client_secret: true })
      expect(set.text).to.not.include('hidden')
      expect((await patch(id, { client_id: 'other' })).body).to.include({
        client_id: 'other',
        has_client_secret: false,
      })
      expect((await patch(id, { client_id: null })).body).to.include({ client_id: null, has_client_secret: false })
      const { status, body } = await patch(id, { client_secret: 's' })
      expect([status, body.code]).to.deep.equal([400, 'client_id_missing'])
    })

    it('409 when the new url is one that the owner has', async () => {
      const [id, other] = [await make(), await make()]
      const { url } = await read(other)
      const { status, body } = await patch(id, { url })
      expect([status, body.code]).to.deep.equal([409, 'connector_exists'])
    })

    it('finds the preset of the new url', async () => {
      const id = await make()
      expect((await patch(id, { url: 'https://mcp.box.com', label: 'moved' })).body).to.include({ preset_id: 'box' })
    })

    it('switches off: neither connects nor relays, and says so; on again, it goes on', async () => {
      const id = await createConnector(patchbay, upstream.url, { label: 'switch' })
      const link = await askForLink(patchbay, id)
      expect((await patch(id, { enabled: false })).body).to.include({ enabled: false, state: 'auth_required' })
      const connect = await patchbay.request('POST', `${connectors}/${id}/connect`)
      expect([connect.status, connect.body.code]).to.deep.equal([409, 'connector_disabled'])
      const relayed = await patchbay.request('POST', `/connectors/${id}/mcp`, {
        body: { jsonrpc: '2.0', id: 1, method: 'ping' },
      })
      expect([relayed.status, relayed.body.code]).to.deep.equal([403, 'connector_disabled'])
      expect((await createBrowser().open(link)).status).to.equal(404)
      await patch(id, { enabled: true })
      expect((await createBrowser().open(link)).status).to.equal(200)
    })

    for (const [what, change] of [
      ['url', { url: 'https://moved.example/mcp' }],
      ['client', { client_id: 'another' }],
      ['kind of authorization', { auth: { type: 'none' } }],
    ] as const) {
      // @guards src/connectors/update-connector.ts:createUpdateConnector
      it(`TN-06: another ${what} ends the grant, the links and the attempts, and the upstream is told`, async () => {
        count += 1
        const id = await createConnector(patchbay, upstream.url, { label: `drop ${count}` })
        await authorize(patchbay, id)
        const refreshToken = upstream.refreshTokens.at(-1) ?? ''
        const { body } = await patch(id, change)
        expect(body).to.include({
          state: 'disconnected',
          disconnect_code: 'connector_changed',
          auth_request: null,
          token_expires_at: null,
          next_refresh_at: null,
        })
        await until('the upstream to be told', () => upstream.revoked.includes(refreshToken))
        const left = await withConnection(patchbay.databaseUrl, (client) =>
          client.query(
            `SELECT c.sealed_access_token, c.sealed_refresh_token, c.token_endpoint, c.client_id,
               (SELECT count(*)::int FROM tickets t WHERE t.connection_id = c.id) AS tickets,
               (SELECT count(*)::int FROM flows f WHERE f.connection_id = c.id) AS flows
             FROM connections c WHERE connector_id = $1`,
            [id],
          ),
        )
        expect(left.rows).to.deep.equal([
          {
            sealed_access_token: null,
            sealed_refresh_token: null,
            token_endpoint: null,
            client_id: null,
            tickets: 0,
            flows: 0,
          },
        ])
      })
    }

    it('a label or metadata ends nothing', async () => {
      const id = await createConnector(patchbay, upstream.url, { label: 'kept' })
      await authorize(patchbay, id)
      expect((await patch(id, { label: 'kept on', metadata: { name: 'x' } })).body).to.include({ state: 'connected' })
    })

    it('does not drop the grant when the url is spelt as before', async () => {
      const id = await createConnector(patchbay, upstream.url, { label: 'same' })
      await authorize(patchbay, id)
      expect((await patch(id, { url: upstream.url.replace('http:', 'HTTP:') })).body).to.include({ state: 'connected' })
    })
  })

  describe(`DELETE ${connectors}/{id}`, () => {
    it('takes everything of it along, and tells the upstream', async () => {
      const id = await createConnector(patchbay, upstream.url, { label: 'gone' })
      await authorize(patchbay, id)
      const refreshToken = upstream.refreshTokens.at(-1) ?? ''
      const link = await askForLink(patchbay, await createConnector(patchbay, upstream.url, { label: 'stays' }))
      expect((await patchbay.request('DELETE', `${connectors}/${id}`)).status).to.equal(204)
      await until('the upstream to be told', () => upstream.revoked.includes(refreshToken))
      const { rows } = await withConnection(patchbay.databaseUrl, (client) =>
        client.query('SELECT count(*)::int AS count FROM connections WHERE connector_id = $1', [id]),
      )
      expect(rows).to.deep.equal([{ count: 0 }])
      expect((await createBrowser().open(link)).status, 'another one’s link').to.equal(200)
    })

    it('lets the url be used again', async () => {
      const id = await createConnector(patchbay, 'https://again.example')
      await patchbay.request('DELETE', `${connectors}/${id}`)
      await createConnector(patchbay, 'https://again.example')
    })
  })
})
