import { expect } from 'chai'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser, hostCallback } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost, type TokenReply, verifier } from '../../support/raw-host.ts'

describe('GET /oauth/authorize', () => {
  let patchbay: Patchbay
  let host: RawHost
  let clientId: string
  let connector: string

  before(async () => {
    patchbay = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '1000' } })
    connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    host = createRawHost(patchbay, connector)
    clientId = (await host.register()).body.client_id
  })
  after(() => patchbay.close())

  const open = async (change: Record<string, string | null>, client = clientId) => {
    const page = await hostBrowser().open(host.authorizationUrl(client, change))
    return { page, answer: page.status === 0 ? new URL(page.url).searchParams : null }
  }
  const outcome = ({ status, body }: TokenReply) => ({ status, error: body.error })
  const codesInDatabase = () =>
    withConnection(patchbay.databaseUrl, async (client) => {
      const { rows } = await client.query(
        `SELECT count(*)::int AS n FROM oauth_artifacts WHERE kind = 'AuthorizationCode'`,
      )
      return rows[0].n
    })

  // @guards src/http/oauth-error-page.ts:createOauthErrorPage
  it('CN-01: shows a page of ours for an unknown client or redirect, and sends the browser nowhere', async () => {
    for (const [change, client] of [
      [{}, 'unknown'],
      [{ redirect_uri: 'https://evil.example/cb' }, clientId],
      [{ redirect_uri: null }, clientId],
      [{ redirect_uri: `${hostCallback}/` }, clientId],
    ] as const) {
      const { page } = await open(change, client)
      expect(page.status).to.equal(400)
      expect(page.headers.get('content-security-policy')).to.include("frame-ancestors 'none'")
      expect(page.html).not.to.include('evil.example')
    }
    expect((await open({})).page.title, 'control').to.equal('Who are you?')
  })

  // @guards src/authorization-server/client-metadata.ts:readClientMetadata
  it('CN-02: takes another port of the same loopback address, and no other difference', async () => {
    const loopback = await open({ redirect_uri: 'http://127.0.0.1:5/callback' })
    expect(loopback.page.status).to.equal(200)
    for (const redirect_uri of [
      'http://localhost:33418/callback',
      'http://[::1]:33418/callback',
      'https://127.0.0.1:33418/callback',
      'http://127.0.0.1:33418/callback?x=1',
      'http://127.0.0.1:33418/CALLBACK',
      'http://127.0.0.1:33418/callback/../callback',
    ])
      expect((await open({ redirect_uri })).page.status, redirect_uri).to.equal(400)
    const web = (await host.register({ redirect_uris: ['https://host.example/cb'] })).body.client_id
    expect((await open({ redirect_uri: 'https://host.example:444/cb' }, web)).page.status).to.equal(400)
    expect((await open({ redirect_uri: 'https://host.example/cb' }, web)).page.status, 'control').to.equal(200)
  })

  // @guards src/authorization-server/authorization-server.ts:protocol
  it('PK-02: takes S256 only', async () => {
    for (const change of [
      { code_challenge: null, code_challenge_method: null },
      { code_challenge_method: 'plain' },
      { code_challenge_method: null },
      { code_challenge_method: 's256' },
      { code_challenge: '' },
    ]) {
      const { answer } = await open(change)
      expect(answer?.get('error'), JSON.stringify(change)).to.equal('invalid_request')
    }
    const { body } = await patchbay.request('GET', '/.well-known/oauth-authorization-server', { key: null })
    expect(body.code_challenge_methods_supported).to.deep.equal(['S256'])
  })

  // @guards src/authorization-server/authorization-server.ts:make
  it('CN-15: refuses a resource that is missing, malformed or no connector, before anybody is asked', async () => {
    for (const resource of [
      null,
      'https://evil.example/mcp',
      patchbay.url,
      `${host.resource}#x`,
      `${host.resource}/`,
      '/connectors/x/mcp',
      host.resource.replace(connector, '019b0000-0000-7000-8000-000000000001'),
    ]) {
      const { answer } = await open({ resource })
      expect(answer?.get('error'), String(resource)).to.equal('invalid_target')
    }
  })

  // @guards src/authorization-server/pending-request.ts:createPendingRequests
  it('CN-13, CN-14: answers errors and codes with state and iss', async () => {
    const browser = hostBrowser()
    await host.openConsent(host.authorizationUrl(clientId), { browser })
    const denied = new URL((await browser.submit({ button: 'deny' })).url).searchParams
    expect(Object.fromEntries(denied)).to.include({ error: 'access_denied', state: 'the-state', iss: patchbay.url })
    await host.openConsent(host.authorizationUrl(clientId), { browser })
    const allowed = new URL((await browser.submit({ button: 'authorize' })).url).searchParams
    expect(Object.fromEntries(allowed)).to.include({ state: 'the-state', iss: patchbay.url })
    const { answer } = await open({ response_type: 'token' })
    expect(answer?.get('iss') ?? patchbay.url).to.equal(patchbay.url)
  })

  // @guards src/authorization-server/authorization-server.ts:make
  it('PK-03, PK-06: a code is bound to client, redirect, resource and verifier; a wrong try does not use it up', async () => {
    const code = await host.authorize(clientId)
    const stranger = (await host.register()).body.client_id
    for (const [client, change] of [
      [clientId, { code_verifier: `${verifier}x` }],
      [clientId, { redirect_uri: 'http://127.0.0.1:5/callback' }],
      [clientId, { resource: `${host.resource}x` }],
      [stranger, {}],
    ] as const) {
      const { status, error } = outcome(await host.redeem(client, code, change))
      expect(status, JSON.stringify(change)).to.equal(400)
      expect(error).to.be.oneOf(['invalid_grant', 'invalid_target'])
    }
    expect((await host.redeem(clientId, code)).status).to.equal(200)
  })

  // @guards src/authorization-server/oidc-adapter.ts:createOidcAdapter
  it('PK-04: a code that comes twice ends what it brought; another client’s try does not', async () => {
    const code = await host.authorize(clientId)
    const { body } = await host.redeem(clientId, code)
    const stranger = (await host.register()).body.client_id
    expect(outcome(await host.redeem(stranger, code))).to.deep.equal({ status: 400, error: 'invalid_grant' })
    expect(await host.call(body.access_token)).to.equal(200)
    expect(outcome(await host.redeem(clientId, code))).to.deep.equal({ status: 400, error: 'invalid_grant' })
    await host.refused(body.access_token)
  })

  // @guards src/storage/authorization-server-stores.ts:createPrismaArtifactStore
  it('PK-05: of parallel redemptions one succeeds', async () => {
    const code = await host.authorize(clientId)
    const answers = await Promise.all(Array.from({ length: 10 }, () => host.redeem(clientId, code)))
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1)
    expect(answers.filter(({ status }) => status === 400)).to.have.length(9)
  })

  describe('the consent page', () => {
    // @guards src/http/form-token.ts:createFormToken
    it('CN-09, CN-11: takes only its own form, of this request and this person, and only what the request asked for', async () => {
      const browser = hostBrowser()
      const page = await host.openConsent(host.authorizationUrl(clientId), { browser })
      const url = new URL(page.url)
      const cookie = browser.cookies.header(url, { isSameSite: true, method: 'POST' })
      const token = /name="form_token" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
      const before = await codesInDatabase()
      const send = (form: Record<string, string>, headers: Record<string, string> = {}) =>
        fetch(url, {
          method: 'POST',
          redirect: 'manual',
          headers: { cookie, 'sec-fetch-site': 'same-origin', accept: 'text/html', ...headers },
          body: new URLSearchParams({ action: 'authorize', form_token: token, ...form }),
        })
      expect((await send({ form_token: '' })).status).to.equal(403)
      expect((await send({ form_token: token.replace(/^./, 'x') })).status).to.equal(403)
      expect((await send({}, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403)
      expect((await send({}, { 'sec-fetch-site': 'same-site' })).status).to.equal(403)
      expect((await fetch(`${url}?action=authorize&form_token=${token}`, { headers: { cookie } })).status).to.equal(200)
      const other = hostBrowser()
      await host.openConsent(host.authorizationUrl(clientId), { browser: other, name: 'bob' })
      const cookieOfBob = other.cookies.header(new URL(other.page.url), { isSameSite: true, method: 'POST' })
      expect((await send({}, { cookie: cookieOfBob })).status, 'CN-11').to.equal(400)
      expect(await codesInDatabase()).to.equal(before)
      const tampered = await send({
        client_id: 'x',
        redirect_uri: 'https://evil.example',
        scope: 'admin',
        resource: 'x',
      })
      expect(tampered.status).to.equal(200)
      expect(await tampered.text()).not.to.include('evil.example')
    })

    // @guards src/authorization-server/pending-request.ts:createPendingRequests
    it('CN-10: a second submit makes no second code', async () => {
      const browser = hostBrowser()
      const page = await host.openConsent(host.authorizationUrl(clientId), { browser })
      const url = new URL(page.url)
      const cookie = browser.cookies.header(url, { isSameSite: true, method: 'POST' })
      const token = /name="form_token" value="([^"]+)"/.exec(page.html)?.[1] ?? ''
      const submit = () =>
        fetch(url, {
          method: 'POST',
          headers: { cookie, 'sec-fetch-site': 'same-origin', accept: 'text/html' },
          body: new URLSearchParams({ action: 'authorize', form_token: token }),
        })
      const answers = await Promise.all([submit(), submit(), submit()])
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 400, 400])
    })

    // @guards src/http/pages/consent-parts.ts:clientWarning
    it('CN-03, CN-04, RG-07: always asks, says who, where to and for what, and warns of a loopback client named Claude', async () => {
      const claude = (await host.register({ client_name: 'Cl\u202eaude<script>alert(1)</script>' })).body.client_id
      const browser = hostBrowser()
      await host.authorize(claude, browser)
      await browser.open(host.authorizationUrl(claude))
      expect(browser.page.html).to.include('value="authorize"')
      expect(browser.page.html).not.to.include('<script>').and.not.to.include('\u202e')
      const { text } = browser.page
      for (const fact of [
        '127.0.0.1:33418',
        'mcp.example.com',
        'alice',
        'not verified',
        'Any program on this computer',
      ])
        expect(text).to.include(fact)
    })

    // @guards src/authorization-server/connect-token.ts:createRedeemConnectToken
    it('CN-12: takes a connect token once, for its own connector, and stops looking after five wrong ones', async () => {
      const mint = async (id: string) =>
        (await patchbay.request('POST', `/api/v1/connectors/${id}/connect-tokens`, { body: { subject: 'carol' } })).body
          .connect_token
      const other = await createConnector(patchbay, 'https://other.example.com/mcp', { credential_scope: 'tenant' })
      const attempt = async (token: string, browser = hostBrowser()) => {
        if (browser.page.url !== '') await browser.open(host.authorizationUrl(clientId))
        return browser.submit({ button: 'connect_token', fields: { connect_token: token } })
      }
      const opened = async () => {
        const browser = hostBrowser()
        await browser.open(host.authorizationUrl(clientId))
        return browser
      }
      const good = await mint(connector)
      const asked = await attempt(good, await opened())
      expect(asked.text).to.include('carol').and.to.include('Authorize')
      expect((await attempt(good, await opened())).status, 'twice').to.equal(400)
      expect((await attempt(await mint(other), await opened())).status, 'of another connector').to.equal(400)
      for (let wrong = 0; wrong < 3; wrong += 1)
        expect((await attempt('pbc_wrong', await opened())).status).to.equal(400)
      const late = await attempt(await mint(connector), await opened())
      expect(late.status).to.equal(400)
      expect(patchbay.logs.join('')).not.to.include(good)
    })
  })
})

describe('POST /oauth/register', () => {
  let patchbay: Patchbay
  let host: RawHost
  before(async () => {
    patchbay = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '60' } })
    host = createRawHost(patchbay, '019b0000-0000-7000-8000-000000000001')
  })
  after(() => patchbay.close())

  // @guards src/authorization-server/client-metadata.ts:isNativeRedirect
  it('RG-01: refuses redirects that a code must not be sent to', async () => {
    for (const redirect_uris of [
      undefined,
      [],
      [1],
      Array.from({ length: 11 }, (_, index) => `https://a${index}.example/cb`),
      [`https://a.example/${'x'.repeat(2048)}`],
      ['https://a.example/cb#x'],
      ['https://user@a.example/cb'],
      ['https://*.example/cb'],
      ['javascript:alert(1)'],
      ['JavaScript:alert(1)'],
      ['data:text/html,x'],
      ['http://a.example/cb'],
      ['https://10.0.0.1/cb'],
      ['https://[fd00::1]/cb'],
      ['/cb'],
      ['nodot:/cb'],
      ['https://ok.example/cb', 'http://evil.example/cb'],
    ]) {
      const answer = await host.register({ redirect_uris })
      expect(answer.status, JSON.stringify(redirect_uris)?.slice(0, 60)).to.equal(400)
      expect(answer.body.error).to.equal('invalid_redirect_uri')
    }
  })

  // @guards src/authorization-server/client-metadata.ts:readClientMetadata
  it('RG-02: refuses what makes no sense, and leaves out what is absent', async () => {
    for (const change of [
      { grant_types: ['client_credentials'] },
      { response_types: ['token'] },
      { token_endpoint_auth_method: 'tls_client_auth' },
      { token_endpoint_auth_method: 'private_key_jwt' },
      { client_name: 5 },
    ])
      expect((await host.register(change)).body.error, JSON.stringify(change)).to.equal('invalid_client_metadata')
    const { status, body } = await host.register({ client_uri: null, unknown: 1, logo_uri: null })
    expect(status).to.equal(201)
    expect(Object.values(body)).not.to.include(null)
    expect(body).not.to.have.any.keys('client_uri', 'logo_uri', 'unknown', 'client_secret')
  })

  // @guards src/authorization-server/authorization-server.ts:make
  it('RG-03: gives a secret to confidential clients only, once, and keeps its hash', async () => {
    const { body } = await host.register({ token_endpoint_auth_method: 'client_secret_post' })
    expect(body.client_secret).to.match(/^[\w-]{43}$/)
    const rows = await withConnection(patchbay.databaseUrl, async (client) =>
      JSON.stringify((await client.query('SELECT * FROM oauth_clients')).rows),
    )
    expect(rows).to.include(body.client_id).and.not.to.include(body.client_secret)
    const revoke = (change: Record<string, string>) =>
      host.post('/oauth/revoke', { client_id: body.client_id, token: 'x', ...change })
    expect((await revoke({})).status, 'as if public').to.equal(401)
    expect((await revoke({ client_secret: 'wrong' })).status).to.equal(401)
    expect((await revoke({ client_secret: body.client_secret })).status).to.equal(200)
  })

  // @guards src/authorization-server/register-client.ts:createRegisterOauthClient
  it('RG-04: is bounded per address and in size', async () => {
    const huge = await patchbay.request('POST', '/oauth/register', {
      key: null,
      body: { redirect_uris: [hostCallback], client_name: 'x'.repeat(17_000) },
    })
    expect(huge.status).to.equal(400)
    let last = await host.register()
    // twice as many as a minute has room for: one may end and the next begin meanwhile
    for (let count = 0; count < 120 && last.status !== 429; count += 1) last = await host.register()
    expect(last.status).to.equal(429)
  })
})
