import { expect } from 'chai'
import { authorize, createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  type ScopedIssuer,
  type ScopedServer,
  startScopedIssuer,
  startScopedServer,
} from '../../support/upstreams/scoped-server.ts'
import { respondJson } from '../../support/upstreams/scripted-upstream.ts'

describe('when the authorization server forgot our registration', () => {
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
  const link = async () => (await read()).auth_request.authorization_endpoint
  const clients = () => issuer.authorizations.map(({ client_id }) => client_id)

  it('registers anew with the next press, after the token endpoint said invalid_client', async () => {
    issuer.refuses = respondJson({ error: 'invalid_client' }, 401)
    await authorize(patchbay, id)
    issuer.refuses = null

    await followLink(await link())

    expect(clients()).to.deep.equal(['client-1', 'client-2'])
    expect((await read()).state).to.equal('connected')
  })

  it('keeps the registration when the client merely may not do this', async () => {
    issuer.refuses = respondJson({ error: 'unauthorized_client' }, 400)
    await authorize(patchbay, id)
    issuer.refuses = null

    await followLink(await link())

    expect(clients()).to.deep.equal(['client-1', 'client-1'])
  })

  it('ends the connection when a refresh hears of it, and the next connect registers anew', async () => {
    await authorize(patchbay, id)
    issuer.refuses = respondJson({ error: 'invalid_client' }, 401)
    server.needs.set('ping', '')
    // every access token is refused from here on, so that the next connect refreshes
    const other = await startScopedIssuer()
    server.moveTo(other)
    await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    server.moveTo(issuer)
    issuer.refuses = null
    const events = await patchbay.request('GET', `/api/v1/connectors/${id}/events`)
    expect(events.body.items.map(({ code }: { code: string }) => code)).to.include('client_rejected')

    await authorize(patchbay, id)
    await other.close()

    expect(clients().at(-1)).to.equal('client-2')
    expect((await read()).state).to.equal('connected')
  })
})
