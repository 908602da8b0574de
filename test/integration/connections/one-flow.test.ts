import { expect } from 'chai'
import { callTool } from '../../support/call-tool.ts'
import { askForLink, authorize, createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createBrowser } from '../../support/upstreams/browser.ts'
import {
  type ScopedIssuer,
  type ScopedServer,
  startScopedIssuer,
  startScopedServer,
} from '../../support/upstreams/scoped-server.ts'
import { startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'

describe('one authorization, from the link to the grant and its renewals', () => {
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
  const forms = () => issuer.tokenRequests.map(({ form }) => form)

  // @guards src/connections/redeem-callback.ts:createRedeemCallback
  it('MX-03: exchanges the code where the person was sent from, whatever the metadata says by then', async () => {
    const thief = await startScriptedUpstream()
    const browser = createBrowser({ stopAt: [patchbay.url] })
    const link = await askForLink(patchbay, id)
    const person = createBrowser({ stopAt: [`${issuer.origin}/authorize`] })
    await person.open(link)
    const leaving = await person.submit()
    expect(leaving.status, 'on the way to the authorization page').to.equal(0)

    issuer.says = { token_endpoint: `${thief.origin}/token` }
    const back = (await browser.open(leaving.url)).url
    const page = await person.open(back)

    expect(page.text).to.contain('Authorization Successful')
    expect(forms()).to.have.length(1)
    expect(thief.received).to.deep.equal([])
    await thief.close()
  })

  // @guards src/upstream/authorization-request.ts:redirect_uri
  it('MX-10: comes back to one address, whoever the authorization server is', async () => {
    const otherIssuer = await startScopedIssuer()
    const other = await startScopedServer(otherIssuer)
    await authorize(patchbay, id)
    await authorize(patchbay, await createConnector(patchbay, other.url))

    const callback = `${patchbay.url}/api/v1/connectors/oauth/callback`
    const used = [...issuer.authorizations, ...otherIssuer.authorizations].map(({ redirect_uri }) => redirect_uri)
    expect(used).to.deep.equal([callback, callback])
    await other.close()
    await otherIssuer.close()
  })

  // @guards src/upstream/authorization-request.ts:isResourceSent
  it('MX-07: names the resource alike on authorization, exchange and refresh', async () => {
    await authorize(patchbay, id)
    issuer.forgetTokens()
    await callTool(patchbay, id, 'ping')

    expect(forms().map(({ grant_type }) => grant_type)).to.deep.equal(['authorization_code', 'refresh_token'])
    const resources = [...issuer.authorizations, ...forms()].map(({ resource }) => resource)
    expect(resources).to.deep.equal([server.url, server.url, server.url])
  })

  // @guards src/connections/step-up.ts:unionOfScopes
  it('PK-07: asks for no scope in a refresh, shows what it got, and forgets nothing of what the grant was for', async () => {
    server.needs.set('tools/list', 'basic more')
    await authorize(patchbay, id)
    await followLink((await read()).auth_request.authorization_endpoint)
    expect((await read()).scopes).to.deep.equal(['basic', 'more'])
    server.needs.delete('tools/list')
    issuer.gives = () => ['basic']
    issuer.forgetTokens()

    await callTool(patchbay, id, 'ping')

    expect(forms().at(-1)).to.include({ grant_type: 'refresh_token' }).and.not.have.property('scope')
    expect((await read()).scopes).to.deep.equal(['basic'])
    server.needs.set('write', 'write')
    await callTool(patchbay, id, 'write')
    issuer.gives = (scopes) => scopes
    await followLink((await read()).auth_request.authorization_endpoint)
    expect(issuer.authorizations.at(-1)?.scope).to.equal('basic more write')
  })
})
