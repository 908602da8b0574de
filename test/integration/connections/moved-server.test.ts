import { expect } from 'chai'
import { callTool } from '../../support/call-tool.ts'
import { authorize, createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import {
  type ScopedIssuer,
  type ScopedServer,
  startScopedIssuer,
  startScopedServer,
} from '../../support/upstreams/scoped-server.ts'

describe('when the server names another authorization server than before', () => {
  let patchbay: Patchbay
  let first: ScopedIssuer
  let second: ScopedIssuer
  let server: ScopedServer

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  beforeEach(async () => {
    first = await startScopedIssuer()
    second = await startScopedIssuer()
    server = await startScopedServer(first)
  })
  afterEach(async () => {
    await server.close()
    await first.close()
    await second.close()
  })

  const read = async (id: string) => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body

  // @guards src/connections/recover-unauthorized.ts:hasMoved
  it('MX-05: ends the grant with authorization_server_changed, and nothing of it reaches the new one', async () => {
    const id = await createConnector(patchbay, server.url)
    await authorize(patchbay, id)
    server.moveTo(second)

    const refused = await callTool(patchbay, id, 'ping')

    expect(refused.refusal).to.contain('names another authorization server')
    const { state, last_error: lastError, auth_request: link } = await read(id)
    expect(state).to.equal('auth_required')
    expect(lastError).to.include({ code: 'authorization_server_changed', retryable: false })
    await until('the old grant to be revoked where it is from', () => first.revoked.length > 0)
    expect(second.revoked).to.deep.equal([])
    expect(second.tokenRequests).to.deep.equal([])

    await followLink(link.authorization_endpoint)

    expect((await read(id)).state).to.equal('connected')
    expect(second.registrations()).to.equal(1)
    expect(second.tokenRequests.map(({ form }) => form.grant_type)).to.deep.equal(['authorization_code'])
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('says so too when it moved between the authorization and the first call', async () => {
    const id = await createConnector(patchbay, server.url)
    const { body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    const link = body.auth_request.authorization_endpoint
    server.moveTo(second)

    const page = await followLink(link)
    expect(page.title).to.contain('Authorization Failed')
    expect((await read(id)).state).to.equal('auth_required')

    await followLink(link)
    expect((await read(id)).state).to.equal('connected')
    expect(second.registrations()).to.equal(1)
  })

  it('is not confused by a token that was merely refused', async () => {
    const id = await createConnector(patchbay, server.url)
    await authorize(patchbay, id)
    server.isRefusing = true
    await callTool(patchbay, id, 'ping')

    const { state, last_error: lastError } = await read(id)
    expect({ state, lastError }).to.deep.equal({ state: 'auth_required', lastError: null })
    expect(first.revoked).to.deep.equal([])
  })

  // @guards src/storage/connector-store.ts:pinClientIssuer
  it('MX-05: a client that was registered by hand stays with its authorization server', async () => {
    const id = await createConnector(patchbay, server.url, { client_id: 'by-hand', client_secret: 'canary-secret' })
    await authorize(patchbay, id)
    server.moveTo(second)
    await callTool(patchbay, id, 'ping')

    const answer = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })

    expect(answer.status).to.equal(409)
    expect(answer.body.code).to.equal('authorization_server_changed')
    expect(second.authorizations).to.deep.equal([])
    expect(second.tokenRequests).to.deep.equal([])

    const client = { client_id: 'by-hand-2', client_secret: 'another' }
    await patchbay.request('PATCH', `/api/v1/connectors/${id}`, { body: client })
    await authorize(patchbay, id)
    expect(second.authorizations.map(({ client_id }) => client_id)).to.deep.equal(['by-hand-2'])
    expect((await read(id)).state).to.equal('connected')
  })
})
