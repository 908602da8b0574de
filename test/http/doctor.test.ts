import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectNothingStored } from '../support/table-counts.ts'
import { type OauthQuirks, paths, startQuirkyOauth } from '../support/upstreams/quirky-oauth.ts'
import { hang, respond, respondHtml } from '../support/upstreams/scripted-upstream.ts'

describe('POST /api/v1/doctor', () => {
  let patchbay: Patchbay
  let member: string
  before(async () => {
    patchbay = await startPatchbay({ timings: { probeMs: 600, discoveryMs: 600 } })
    member = await patchbay.createKey({ subject: 'mia' })
  })
  after(() => patchbay.close())

  const ask = (body: unknown, key: string | null = member) => patchbay.request('POST', '/api/v1/doctor', { key, body })

  it('answers with a report, and stores nothing', async () => {
    const upstream = await startQuirkyOauth()
    const answer = await expectNothingStored(patchbay.databaseUrl, () => ask({ url: upstream.url }))
    await upstream.close()
    expect(answer.status).to.equal(200)
    expect(answer.headers.get('cache-control')).to.equal('no-store')
    expect(answer.body).to.include({ url: upstream.url, verdict: 'auth_required', preset_id: null })
    expect(answer.body.authorization_server).to.include({ issuer: upstream.origin, legacy_fallback: false })
    expect(answer.body.clients.find((option: { used: boolean }) => option.used)).to.deep.equal({
      kind: 'registration',
      available: true,
      used: true,
    })
  })

  it('sends what the API description promises', async () => {
    const upstream = await startQuirkyOauth()
    const { body } = await ask({ url: upstream.url, client_id: 'mine' })
    await upstream.close()
    const api = await patchbay.request('GET', '/api/v1/openapi.json', { key: null })
    expect(Object.keys(body)).to.have.members(api.body.components.schemas.Diagnosis.required)
    expect(body.clients[0]).to.deep.equal({ kind: 'given', available: true, used: true })
  })

  describe('when the caller may not ask', () => {
    it('answers 401 without a key', async () => {
      expect((await ask({ url: 'https://mcp.example/' }, null)).status).to.equal(401)
    })

    it('answers 403 to a key that may only read', async () => {
      const reader = await patchbay.createKey({ subject: 'rita', scopes: ['connectors:read'] })
      const { status, body } = await ask({ url: 'https://mcp.example/' }, reader)
      expect([status, body.code]).to.deep.equal([403, 'forbidden'])
    })
  })

  describe('when the request is wrong', () => {
    const wrong: readonly [title: string, body: unknown, code: string][] = [
      ['no url', {}, 'invalid_request'],
      ['an unknown field', { url: 'https://mcp.example/', connector_id: 'x' }, 'invalid_request'],
      ['another scheme', { url: 'file:///etc/passwd' }, 'url_invalid'],
      ['a user name', { url: 'https://me@mcp.example/' }, 'url_invalid'],
      ['a private address', { url: 'https://10.0.0.1/mcp' }, 'url_not_allowed'],
      ['our own address', { url: 'own' }, 'url_not_allowed'],
    ]
    for (const [title, body, code] of wrong) {
      it(`answers 400 ${code} to ${title}`, async () => {
        const isOwn = title === 'our own address'
        const answer = await ask(isOwn ? { url: `${patchbay.url}/mcp` } : body)
        expect([answer.status, answer.body.code]).to.deep.equal([400, code])
      })
    }
  })

  describe('when the egress guard refuses what the server names', () => {
    it('SS-10: tells administrators and the log, but not members', async () => {
      const upstream = await startQuirkyOauth(() => ({ challenge: 'Bearer resource_metadata="https://10.0.0.1/x"' }))
      const forMember = await ask({ url: upstream.url })
      const forAdmin = await ask({ url: upstream.url }, patchbay.admin)
      await upstream.close()
      expect(forMember.body.documents[0]).to.include({ verdict: 'unavailable', status: null })
      expect(forMember.text).to.not.match(/blocked|EGRESS/)
      expect(forAdmin.body.documents[0]).to.include({ verdict: 'blocked', status: null })
      expect(patchbay.logs.some((line) => line.includes('egress guard refused') && line.includes('blocked'))).to.equal(
        true,
      )
    })
  })

  describe('when it says what connect would do', () => {
    const servers: Readonly<Record<string, () => OauthQuirks>> = {
      'a server by the book': () => ({}),
      'another resource': () => ({ resource: { resource: 'https://other.example/mcp' } }),
      'another issuer': () => ({ metadata: { issuer: 'https://other.example' } }),
      'no PKCE': () => ({ metadata: { code_challenge_methods_supported: undefined } }),
      'no registration': () => ({ metadata: { registration_endpoint: undefined } }),
      'nothing published': () => ({
        challenge: null,
        answers: { [paths.resourceByPath]: null, [paths.oauthMetadata]: null, '/register': null },
      }),
      'only the default endpoints': () => ({
        challenge: null,
        answers: { [paths.resourceByPath]: null, [paths.oauthMetadata]: null },
      }),
      'unreadable metadata': () => ({ answers: { [paths.oauthMetadata]: respond(503) } }),
      'a page for people': () => ({ answers: { '/mcp': respondHtml('<h1>Hi</h1>') } }),
      'status 500': () => ({ answers: { '/mcp': respond(500) } }),
      'no answer': () => ({ answers: { '/mcp': hang() } }),
    }
    for (const [title, quirks] of Object.entries(servers)) {
      it(`agrees with connect: ${title}`, async () => {
        const upstream = await startQuirkyOauth(quirks)
        try {
          const { body: report } = await ask({ url: upstream.url })
          const id = await createConnector(patchbay, upstream.url)
          const connect = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
          expect(report.verdict).to.equal(connect.body.code ?? connect.body.state)
        } finally {
          await upstream.close()
        }
      })
    }
  })
})
