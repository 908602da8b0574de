import { expect } from 'chai'
import { callTool } from '../../support/call-tool.ts'
import { authorize, createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  type ScopedIssuer,
  type ScopedServer,
  startScopedIssuer,
  startScopedServer,
} from '../../support/upstreams/scoped-server.ts'

describe('when the upstream wants more scopes than the token has', () => {
  let patchbay: Patchbay
  let issuer: ScopedIssuer
  let server: ScopedServer
  let id: string

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  beforeEach(async () => {
    issuer = await startScopedIssuer()
    server = await startScopedServer(issuer)
    id = await createConnector(patchbay, server.url)
  })
  afterEach(async () => {
    await server.close()
    await issuer.close()
  })

  const read = async () => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body
  const asked = () => issuer.authorizations.map(({ scope }) => scope)
  const followOwnLink = async () => followLink((await read()).auth_request.authorization_endpoint)

  it('prompts for this call, and goes on with the old grant for others', async () => {
    await authorize(patchbay, id)
    server.needs.set('write', 'write')

    const refused = await callTool(patchbay, id, 'write')

    const { state, auth_request: link } = await read()
    expect(state).to.equal('auth_required')
    expect(refused.status).to.equal(200)
    expect(refused.refusal).to.contain('needs more permissions').and.contain(link.authorization_endpoint)
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('asks for the union of the old scopes and the new ones (C19)', async () => {
    await authorize(patchbay, id)
    server.needs.set('write', 'write')
    await callTool(patchbay, id, 'write')

    await followOwnLink()

    expect(asked()).to.deep.equal(['basic', 'basic write'])
    expect((await read()).state).to.equal('connected')
    expect((await callTool(patchbay, id, 'write')).text).to.equal('pong')
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('asks for what several calls lacked at once', async () => {
    await authorize(patchbay, id)
    server.needs.set('write', 'write').set('admin', 'admin')
    await callTool(patchbay, id, 'write')
    await callTool(patchbay, id, 'admin')

    await followOwnLink()

    expect(asked().at(-1)).to.equal('basic write admin')
  })

  it('counts calls that are refused at the same moment as one', async () => {
    issuer.gives = () => ['basic']
    await authorize(patchbay, id)
    server.needs.set('write', 'write')

    await Promise.all(Array.from({ length: 20 }, () => callTool(patchbay, id, 'write')))

    expect((await read()).state).to.equal('auth_required')
    const events = await patchbay.request('GET', `/api/v1/connectors/${id}/events`)
    const codes = events.body.items.map(({ code }: { code: string }) => code)
    expect(codes.filter((code: string) => code === 'insufficient_scope')).to.have.length(1)
  })

  it('stops at the third refusal for the same scopes, and says so', async () => {
    issuer.gives = () => ['basic']
    await authorize(patchbay, id)
    server.needs.set('write', 'write')
    for (let attempt = 0; attempt < 2; attempt++) {
      await callTool(patchbay, id, 'write')
      await followOwnLink()
    }

    const refused = await callTool(patchbay, id, 'write')

    expect(asked()).to.deep.equal(['basic', 'basic write', 'basic write'])
    expect(refused.refusal).to.contain('does not permit this').and.not.contain('http')
    const { state, last_error: lastError, auth_request: link } = await read()
    expect(state).to.equal('connected')
    expect(lastError).to.include({ code: 'insufficient_scope', retryable: false })
    expect(link).to.equal(null)
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('ends a connection whose tokens are never enough, and begins anew when a person connects again', async () => {
    server.needs.set('tools/list', 'all')
    issuer.gives = () => ['basic']
    await authorize(patchbay, id)
    for (let attempt = 0; attempt < 2; attempt++) await followOwnLink()

    const { state, disconnect_code: code, auth_request: link } = await read()
    expect({ state, code, link }).to.deep.equal({ state: 'disconnected', code: 'insufficient_scope', link: null })
    expect(asked()).to.deep.equal(['basic', 'basic all', 'basic all'])
    expect(issuer.revoked, 'tokens that nobody can use').to.have.length(3)

    issuer.gives = (scopes) => scopes
    await authorize(patchbay, id)
    await followOwnLink()
    expect((await read()).state).to.equal('connected')
  })
})
