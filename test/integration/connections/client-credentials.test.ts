import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { jwtVerify } from 'jose'
import { callTool } from '../../support/call-tool.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  type ScopedIssuer,
  type ScopedServer,
  startScopedIssuer,
  startScopedServer,
} from '../../support/upstreams/scoped-server.ts'
import { respondJson } from '../../support/upstreams/scripted-upstream.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const withSecret = { auth: { type: 'client_credentials', client_id: 'app', client_secret: 'hidden' } }
const withKey = {
  auth: {
    type: 'client_credentials',
    client_id: 'app',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    key_id: 'our-key',
  },
}

describe('auth type client_credentials', () => {
  let patchbay: Patchbay
  let issuer: ScopedIssuer
  let server: ScopedServer

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  beforeEach(async () => {
    issuer = await startScopedIssuer()
    server = await startScopedServer(issuer)
  })
  afterEach(async () => {
    await server.close()
    await issuer.close()
  })

  const connect = (id: string) => patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
  const read = async (id: string) => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body

  it('connects at once, without a person, and asks for what the challenge names', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)

    const { body } = await connect(id)

    expect(body).to.include({ state: 'connected', auth_request: null })
    expect(body.next_refresh_at).to.be.a('string')
    expect(issuer.authorizations).to.deep.equal([])
    expect(issuer.tokenRequests).to.have.length(1)
    expect(issuer.tokenRequests[0]?.form).to.deep.equal({
      grant_type: 'client_credentials',
      resource: server.url,
      scope: 'basic',
    })
    const basic = `Basic ${Buffer.from('app:hidden').toString('base64')}`
    expect(issuer.tokenRequests[0]?.authorization).to.equal(basic)
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('needs neither a page for people nor PKCE of the authorization server', async () => {
    issuer.says = {
      authorization_endpoint: null,
      code_challenge_methods_supported: null,
      response_types_supported: null,
    }
    const id = await createConnector(patchbay, server.url, withSecret)

    expect((await connect(id)).body).to.include({ state: 'connected', pkce_unverified: false })
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
    const forPeople = await createConnector(patchbay, server.url, { label: 'for people' })
    expect((await connect(forPeople)).body.code, 'control').to.equal('authorization_server_invalid')
  })

  it('signs an assertion for the issuer with the key that it was given', async () => {
    const id = await createConnector(patchbay, server.url, withKey)

    expect((await connect(id)).body.state).to.equal('connected')

    const form = issuer.tokenRequests[0]?.form
    expect(form?.client_assertion_type).to.equal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    const verified = await jwtVerify(form?.client_assertion ?? '', createPublicKey(privateKey), {
      audience: issuer.origin,
      issuer: 'app',
      subject: 'app',
      requiredClaims: ['jti', 'exp', 'iat'],
    })
    expect(verified.protectedHeader).to.deep.include({ alg: 'ES384', kid: 'our-key' })
    expect(verified.payload.aud, 'one audience only').to.equal(issuer.origin)
  })

  it('is connected again by a repeated connect, without another token request', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)

    expect((await connect(id)).body.state).to.equal('connected')

    expect(issuer.tokenRequests).to.have.length(1)
  })

  it('asks for a new token through the one refresh path when the server refuses the old one', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)
    issuer.forgetTokens()

    const answers = await Promise.all(Array.from({ length: 10 }, () => callTool(patchbay, id, 'ping')))

    expect(answers.map(({ text }) => text)).to.deep.equal(Array(10).fill('pong'))
    expect(issuer.tokenRequests.map(({ form }) => form.grant_type)).to.deep.equal([
      'client_credentials',
      'client_credentials',
    ])
    expect(issuer.tokenRequests[1]?.form).to.include({ resource: server.url, scope: 'basic' })
  })

  it('is renewed by the worker', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)
    const { due, runRefreshes } = patchbay.app.refreshing
    const batches = await due.claim(new Date(Date.now() + 3_600_000), { perIssuer: 10, claimMs: 60_000 })

    const reports = await Promise.all(batches.map((batch) => runRefreshes(batch)))

    expect(reports.map(({ ended }) => ended)).to.deep.include({ refreshed: 1 })
    expect(issuer.tokenRequests).to.have.length(2)
    expect((await read(id)).state).to.equal('connected')
  })

  it('says that the client was refused, and stores nothing', async () => {
    issuer.refuses = respondJson({ error: 'invalid_client' }, 401)
    const id = await createConnector(patchbay, server.url, withSecret)

    const { status, body } = await connect(id)

    expect({ status, code: body.code }).to.deep.equal({ status: 502, code: 'authorization_failed' })
    expect(body.detail).to.contain('client_secret or private_key')
    expect((await read(id)).state).to.equal('created')
  })

  it('says that the client lacks permissions', async () => {
    issuer.gives = () => []
    const id = await createConnector(patchbay, server.url, withSecret)

    const { status, body } = await connect(id)

    expect({ status, code: body.code }).to.deep.equal({ status: 502, code: 'insufficient_scope' })
  })

  it('asks for the scopes that the connector names', async () => {
    const id = await createConnector(patchbay, server.url, { ...withSecret, scopes: ['basic', 'more'] })
    await connect(id)
    expect(issuer.tokenRequests[0]?.form.scope).to.equal('basic more')
  })

  it('asks by itself for the union of scopes that a call needs (C19), and sends the call again', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)
    server.needs.set('write', 'write')

    const answers = await Promise.all(Array.from({ length: 5 }, () => callTool(patchbay, id, 'write')))

    expect(answers.map(({ text }) => text)).to.deep.equal(Array(5).fill('pong'))
    expect(issuer.tokenRequests.map(({ form }) => form.scope)).to.deep.equal(['basic', 'basic write'])
    expect((await callTool(patchbay, id, 'ping')).text, 'what it could do before').to.equal('pong')
    issuer.forgetTokens()
    expect((await callTool(patchbay, id, 'write')).text, 'and so after a renewal').to.equal('pong')
  })

  for (const [title, refuse] of [
    ['gives less than asked', () => undefined],
    ['refuses the scope', () => respondJson({ error: 'invalid_scope' }, 400)],
  ] as const) {
    it(`stops at the third refusal for the same scopes where the authorization server ${title}`, async () => {
      const id = await createConnector(patchbay, server.url, withSecret)
      await connect(id)
      server.needs.set('write', 'write')
      issuer.gives = () => ['basic']
      issuer.refuses = refuse() ?? null

      for (let call = 0; call < 5; call++) {
        const { text, refusal } = await callTool(patchbay, id, 'write')
        expect(text).to.equal(undefined)
        expect(refusal).to.contain('does not permit this').and.not.contain('/connect/')
        expect((await callTool(patchbay, id, 'ping')).text, 'other calls go on').to.equal('pong')
      }

      expect(issuer.tokenRequests, 'the connect, and two attempts').to.have.length(3)
      expect(await read(id)).to.deep.include({ state: 'connected' })
      expect((await read(id)).last_error).to.include({ code: 'insufficient_scope', retryable: false })
    })
  }

  it('disconnects when even a new token is refused, since there is nobody to ask', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)
    server.isRefusing = true

    const refused = await callTool(patchbay, id, 'ping')

    expect(refused.refusal).to.contain('no longer accepts').and.not.contain('/connect/')
    expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'access_token_rejected' })
  })

  // @guards src/storage/connector-store.ts:pinClientIssuer
  it('MX-05: sends nothing to another authorization server than the first', async () => {
    const id = await createConnector(patchbay, server.url, withSecret)
    await connect(id)
    const other = await startScopedIssuer()
    server.moveTo(other)
    await callTool(patchbay, id, 'ping')

    const { status, body } = await connect(id)

    expect({ status, code: body.code }).to.deep.equal({ status: 409, code: 'authorization_server_changed' })
    expect(other.tokenRequests).to.deep.equal([])
    await other.close()
  })
})
