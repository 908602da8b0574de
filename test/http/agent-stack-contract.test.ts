import { expect } from 'chai'
import { request } from 'undici'
import { askForLink, createConnector, followLink, stopAtCallback } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { connectSdk1Client } from '../support/upstreams/mcp-clients.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'
import { respond, type ScriptedUpstream, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'

const api = '/api/v1'
const connectors = `${api}/connectors`
const nineKeys = [
  ...['id', 'url', 'state', 'auth_request', 'disconnect_reason', 'metadata'],
  ...['created_at', 'updated_at', 'created_by'],
]
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The contract of Agent Stack's connectors API, line by line, as its own clients use it. */
describe('Agent Stack contract', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let count = 0
  const preset = {
    url: '',
    client_id: 'preset-client',
    client_secret: 'preset-secret',
    metadata: { name: 'From the preset' },
  }

  before(async () => {
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    preset.url = upstream.url
    const presets = [preset, { url: 'https://bare.example/', client_id: null, client_secret: null, metadata: null }]
    patchbay = await startPatchbay({ env: { CONNECTOR__PRESETS: JSON.stringify(presets) } })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  /** As their client authenticates: Basic, with the key as the password. */
  const basic = (key = patchbay.admin, user = 'agent') => ({
    authorization: `Basic ${Buffer.from(`${user}:${key}`).toString('base64')}`,
  })
  const call = (method: string, path: string, body?: unknown): Promise<Answer> =>
    patchbay.request(method, path, { key: null, headers: basic(), ...(body === undefined ? {} : { body }) })
  const create = (body: object = {}) => {
    count += 1
    return call('POST', connectors, { url: `https://server-${count}.example/mcp`, ...body })
  }
  /** At the upstream that asks for authorization, without its preset, beside all others for its URL. */
  const createAtUpstream = () => {
    count += 1
    return createConnector(patchbay, upstream.url, { match_preset: false, label: `label ${count}` })
  }
  /** Errors: a JSON object whose `detail` is a string. */
  const expectError = (answer: Answer, status: number) => {
    expect(answer.status, answer.text).to.equal(status)
    expect(answer.body).to.be.an('object').with.property('detail').that.is.a('string')
  }

  describe('authentication', () => {
    it('takes Basic and Bearer', async () => {
      expect((await call('GET', connectors)).status).to.equal(200)
      expect((await patchbay.request('GET', connectors)).status).to.equal(200)
      const anyUser = await patchbay.request('GET', connectors, { key: null, headers: basic(patchbay.admin, '') })
      expect(anyUser.status).to.equal(200)
    })

    it('401 without and with a wrong key', async () => {
      expectError(await patchbay.request('GET', connectors, { key: null }), 401)
      expectError(await patchbay.request('GET', connectors, { key: null, headers: basic('wrong') }), 401)
      expectError(await patchbay.request('GET', connectors, { key: null, headers: { authorization: 'Basic !' } }), 401)
    })
  })

  describe(`POST ${connectors}`, () => {
    it('201 with the connector for `{url}`', async () => {
      const { status, body } = await call('POST', connectors, { url: 'https://mcp.Stripe.com' })
      expect(status).to.equal(201)
      expect(body).to.include.all.keys(nineKeys)
      expect(body).to.include({
        url: 'https://mcp.stripe.com/',
        state: 'created',
        auth_request: null,
        disconnect_reason: null,
        metadata: null,
      })
      expect(body.id).to.match(uuid)
      expect(body.created_by).to.match(uuid)
      for (const time of [body.created_at, body.updated_at]) {
        expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      }
    })

    it('takes null for each optional field', async () => {
      const { status, body } = await create({
        client_id: null,
        client_secret: null,
        metadata: null,
        match_preset: null,
      })
      expect(status).to.equal(201)
      expect(body.metadata).to.equal(null)
    })

    it('takes client, metadata and match_preset, and keeps the secret to itself', async () => {
      const metadata = { name: 'Mine', note: '' }
      const answer = await create({ client_id: 'a', client_secret: 'very-secret', metadata, match_preset: false })
      expect(answer.status).to.equal(201)
      expect(answer.body.metadata).to.deep.equal(metadata)
      expect(answer.text).to.not.include('very-secret')
    })

    it('400 for a secret without id', async () => expectError(await create({ client_secret: 's' }), 400))
    it('400 for a url that is not http(s)', async () => expectError(await create({ url: 'ftp://a.example' }), 400))
    it('400 for metadata beyond 16 keys', async () => {
      const metadata = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'x']))
      expectError(await create({ metadata }), 400)
    })

    it('409 for the same url and owner, however it is spelt', async () => {
      await create({ url: 'https://twice.example/' })
      for (const url of ['https://twice.example', 'HTTPS://Twice.Example:443/']) {
        expectError(await create({ url }), 409)
      }
      const key = await patchbay.createKey({ subject: 'another owner' })
      const other = await patchbay.request('POST', connectors, { key, body: { url: 'https://twice.example/' } })
      expect(other.status).to.equal(201)
    })
  })

  describe(`GET ${connectors}`, () => {
    it('200 with the list envelope', async () => {
      const key = await patchbay.createKey({ subject: 'lister', tenant: 'listing' })
      const empty = await patchbay.request('GET', connectors, { key })
      expect(empty.body).to.deep.equal({ items: [], total_count: 0, has_more: false, next_page_token: null })
      await createConnector(patchbay, 'https://one.example', { key })
      await createConnector(patchbay, 'https://two.example', { key })
      const page = (await patchbay.request('GET', `${connectors}?limit=1`, { key })).body
      expect(page).to.have.all.keys('items', 'total_count', 'has_more', 'next_page_token')
      expect(page).to.include({ total_count: 2, has_more: true })
      expect(page.next_page_token).to.be.a('string')
      expect(page.items[0]).to.include.all.keys(nineKeys)
    })
  })

  describe(`${connectors}/{id}`, () => {
    it('GET 200, DELETE 204 without a body, then 404 for both', async () => {
      const { body } = await create()
      expect((await call('GET', `${connectors}/${body.id}`)).body).to.deep.equal(body)
      const deleted = await call('DELETE', `${connectors}/${body.id}`)
      expect([deleted.status, deleted.text]).to.deep.equal([204, ''])
      expectError(await call('GET', `${connectors}/${body.id}`), 404)
      expectError(await call('DELETE', `${connectors}/${body.id}`), 404)
    })

    it("404 for somebody else's", async () => {
      const key = await patchbay.createKey({ subject: 'somebody else' })
      const id = await createConnector(patchbay, 'https://private.example', { key })
      expectError(await call('GET', `${connectors}/${id}`), 404)
      expectError(await call('POST', `${connectors}/${id}/connect`, {}), 404)
    })
  })

  describe(`POST ${connectors}/{id}/connect`, () => {
    for (const body of [{}, { redirect_url: null, access_token: null }, undefined, null] as const) {
      it(`200 auth_required, with a complete URL to open, for the body ${JSON.stringify(body) ?? '(none)'}`, async () => {
        const answer = await call('POST', `${connectors}/${await createAtUpstream()}/connect`, body)
        expect(answer.status, answer.text).to.equal(200)
        expect(answer.body).to.include.all.keys(nineKeys)
        expect(answer.body).to.include({ state: 'auth_required', disconnect_reason: null })
        expect(answer.body.auth_request).to.have.all.keys('type', 'authorization_endpoint')
        expect(answer.body.auth_request.type).to.equal('code')
        expect(new URL(answer.body.auth_request.authorization_endpoint).origin).to.equal(patchbay.url)
      })
    }

    it('200 connected for a good access_token, which is not shown', async () => {
      const id = await createAtUpstream()
      const token = upstream.newAccessToken()
      const answer = await call('POST', `${connectors}/${id}/connect`, { access_token: token })
      expect(answer.status, answer.text).to.equal(200)
      expect(answer.body).to.include({ state: 'connected', auth_request: null })
      expect(answer.text).to.not.include(token)
    })

    it('400 for a redirect_url that is not allowed', async () => {
      const body = { redirect_url: 'https://evil.example/' }
      expectError(await call('POST', `${connectors}/${await createAtUpstream()}/connect`, body), 400)
    })

    it('502 when the upstream answers an HTTP error, 504 when it cannot be reached', async () => {
      const broken: ScriptedUpstream = await startScriptedUpstream(() => respond(500))
      const [port] = await freePorts(1)
      const [first, second] = [
        (await create({ url: broken.url })).body.id,
        (await create({ url: `http://127.0.0.1:${port}/` })).body.id,
      ]
      expectError(await call('POST', `${connectors}/${first}/connect`, {}), 502)
      expectError(await call('POST', `${connectors}/${second}/connect`, {}), 504)
      await broken.close()
    })
  })

  describe('a polling client', () => {
    it('opens the link in a browser and waits for `connected`', async () => {
      const id = await createAtUpstream()
      const states: string[] = []
      const poll = until('the connector to be connected', async () => {
        const { body } = await call('GET', `${connectors}/${id}`)
        if (states.at(-1) !== body.state) states.push(body.state)
        return body.state === 'connected'
      })
      const page = await followLink(await askForLink(patchbay, id))
      await poll
      expect(page).to.include({ status: 200, title: 'Authorization Successful' })
      expect(states).to.satisfy((seen: string[]) => /^(created,)?(auth_required,)?connected$/.test(seen.join()))
      expect((await call('GET', `${connectors}/${id}`)).body).to.include({ state: 'connected', auth_request: null })
    })

    it('calls tools at `.../mcp` with the same credentials, and ends its session with DELETE', async () => {
      const id = await createAtUpstream()
      await followLink(await askForLink(patchbay, id))
      const { client, close } = await connectSdk1Client({
        url: `${patchbay.url}${connectors}/${id}/mcp`,
        headers: basic(),
      })
      expect((await client.callTool({ name: 'ping' })).content).to.deep.equal([{ type: 'text', text: 'pong' }])
      await close()
    })
  })

  describe(`POST ${connectors}/{id}/disconnect`, () => {
    it('200 with the reason "Client request"', async () => {
      const id = await createAtUpstream()
      await followLink(await askForLink(patchbay, id))
      const { status, body } = await call('POST', `${connectors}/${id}/disconnect`)
      expect(status).to.equal(200)
      expect(body).to.include.all.keys(nineKeys)
      expect(body).to.include({ state: 'disconnected', disconnect_reason: 'Client request', auth_request: null })
    })

    it('200 from auth_required, and the link is dead', async () => {
      const id = await createAtUpstream()
      const link = await askForLink(patchbay, id)
      expect((await call('POST', `${connectors}/${id}/disconnect`)).body.state).to.equal('disconnected')
      expect((await createBrowser().open(link)).status).to.equal(404)
    })

    it('200 again when it is disconnected already', async () => {
      const id = await createAtUpstream()
      await askForLink(patchbay, id)
      for (let times = 0; times < 2; times++) {
        expect((await call('POST', `${connectors}/${id}/disconnect`)).body.state).to.equal('disconnected')
      }
    })

    it('400 from created', async () => {
      expectError(await call('POST', `${connectors}/${(await create()).body.id}/disconnect`), 400)
    })

    it('connects again afterwards, without being deleted first', async () => {
      const id = await createAtUpstream()
      await followLink(await askForLink(patchbay, id))
      await call('POST', `${connectors}/${id}/disconnect`)
      expect((await followLink(await askForLink(patchbay, id))).title).to.equal('Authorization Successful')
      expect((await call('GET', `${connectors}/${id}`)).body).to.include({
        state: 'connected',
        disconnect_reason: null,
      })
    })
  })

  describe(`GET ${connectors}/oauth/callback`, () => {
    let application: ScriptedUpstream
    let refusing: ScriptedOAuth
    before(async () => {
      application = await startScriptedUpstream(() => respond(200, 'back in the application'))
      const authorize = () => ({ error: 'access_denied', error_description: 'no <b>way</b>' })
      refusing = await startScriptedOAuth({ authorize })
    })
    after(() => Promise.all([application.close(), refusing.close()]))

    for (const query of ["?a=1&b=%20x&c=%e4&d=a+b&e='(*)'&f&&g=", '', '?']) {
      it(`on success redirects to redirect_url, unchanged (${query || 'without a query'})`, async () => {
        const redirect = `${application.origin}/done/../end${query}`
        const link = await askForLink(patchbay, await createAtUpstream(), { body: { redirect_url: redirect } })
        const { callback, cookie } = await stopAtCallback(patchbay, link)
        const { statusCode, headers, body } = await request(callback, { headers: { cookie } })
        await body.dump()
        expect([statusCode, headers.location]).to.deep.equal([302, redirect])
      })
    }

    it('writes a redirect_url in other letters as a header can hold it', async () => {
      const body = { redirect_url: `${application.origin}/fertig/✓?ä=ö` }
      await followLink(await askForLink(patchbay, await createAtUpstream(), { body }))
      expect(application.received.at(-1)?.target).to.equal('/fertig/%E2%9C%93?%C3%A4=%C3%B6')
    })

    it('on failure adds error and error_description, of our own wording', async () => {
      count += 1
      const id = await createConnector(patchbay, refusing.url, { label: `label ${count}` })
      const link = await askForLink(patchbay, id, { body: { redirect_url: `${application.origin}/done?a=1` } })
      await followLink(link)
      const { searchParams } = new URL(application.received.at(-1)?.target ?? '', application.origin)
      expect(Object.fromEntries(searchParams)).to.deep.equal({
        a: '1',
        error: 'access_denied',
        error_description: 'authorization_denied',
      })
      expect((await call('GET', `${connectors}/${id}`)).body.state).to.equal('auth_required')
    })

    it('without redirect_url shows pages with these titles', async () => {
      const good = await followLink(await askForLink(patchbay, await createAtUpstream()))
      expect([good.status, good.title]).to.deep.equal([200, 'Authorization Successful'])
      count += 1
      const id = await createConnector(patchbay, refusing.url, { label: `label ${count}` })
      const bad = await followLink(await askForLink(patchbay, id))
      expect([bad.status, bad.title]).to.deep.equal([400, 'Authorization Failed'])
      const unknown = await createBrowser().open(`${patchbay.url}${connectors}/oauth/callback?state=x&code=y`)
      expect([unknown.status, unknown.title]).to.deep.equal([400, 'Authorization Failed'])
    })

    it('needs no authentication', async () => {
      const answer = await patchbay.request('GET', `${connectors}/oauth/callback?state=x&code=y`, { key: null })
      expect(answer.status).to.equal(400)
    })
  })

  describe(`GET ${connectors}/presets, from CONNECTOR__PRESETS`, () => {
    it('200 with the list of url and metadata, and no credential', async () => {
      const { status, body, text } = await call('GET', `${connectors}/presets`)
      expect(status).to.equal(200)
      expect(body).to.include({ total_count: 2, has_more: false, next_page_token: null })
      const shown = body.items.map(({ url, metadata }: { url: string; metadata: object }) => ({ url, metadata }))
      expect(shown[0]).to.deep.equal({ url: upstream.url, metadata: preset.metadata })
      expect(shown[1].url).to.equal('https://bare.example/')
      expect(text).to.not.include(preset.client_secret).and.not.include(preset.client_id)
    })

    it('gives its metadata to a connector that has none, and only then', async () => {
      const key = await patchbay.createKey({ subject: 'preset user' })
      const make = async (fields: object) =>
        (await patchbay.request('POST', connectors, { key, body: { url: upstream.url, ...fields } })).body
      expect((await make({ label: 'a' })).metadata).to.deep.equal(preset.metadata)
      expect((await make({ label: 'b', metadata: { own: 'x' } })).metadata).to.deep.equal({ own: 'x' })
      expect((await make({ label: 'c', match_preset: false })).metadata).to.equal(null)
    })

    /** How the last token request was authenticated. */
    const clientOf = ({ tokenRequests }: ScriptedOAuth) => {
      const { authorization, form } = tokenRequests.at(-1) ?? { authorization: undefined, form: {} }
      const [, credentials = ''] = /^Basic (.+)$/.exec(authorization ?? '') ?? []
      return credentials === '' ? form.client_id : Buffer.from(credentials, 'base64').toString()
    }

    it('gives its client, id and secret together, to a connector that has no client_id, and only then', async () => {
      const clients: unknown[] = []
      for (const fields of [
        {},
        { client_id: 'mine' },
        { client_id: 'mine', client_secret: 'own' },
        { match_preset: false },
      ]) {
        count += 1
        const id = await createConnector(patchbay, upstream.url, { label: `label ${count}`, ...fields })
        expect((await followLink(await askForLink(patchbay, id))).title).to.equal('Authorization Successful')
        clients.push(clientOf(upstream))
      }
      expect(clients.slice(0, 3)).to.deep.equal(['preset-client:preset-secret', 'mine', 'mine:own'])
      expect(clients[3], 'registered dynamically').to.match(/^client-/)
    })
  })
})
