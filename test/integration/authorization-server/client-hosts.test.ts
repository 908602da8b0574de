import { expect } from 'chai'
import { type ClientDocument, publishClientDocument } from '../../support/client-document.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser, hostCallback } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'

/** Each over the same database: what an operator says later holds for clients that are there already. */
describe('client hosts that an operator allows and denies', function () {
  this.timeout(60_000)
  let document: ClientDocument
  let open: Patchbay
  let connector: string
  let registered: string
  let refreshToken: string

  before(async () => {
    document = await publishClientDocument({ client_name: 'A published host', redirect_uris: [hostCallback] })
    open = await startPatchbay({ env: { EGRESS_ALLOW: document.host }, egress: document.egress })
    connector = await createConnector(open, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    const host = createRawHost(open, connector)
    registered = (await host.register()).body.client_id
    refreshToken = (await host.redeem(registered, await host.authorize(registered))).body.refresh_token
  })
  after(async () => {
    await open.close()
    await document.close()
  })

  async function under(env: Record<string, string>, use: (host: RawHost) => Promise<void>): Promise<void> {
    const patchbay = await startPatchbay({
      env: { EGRESS_ALLOW: document.host, ...env },
      egress: document.egress,
      sharing: open,
    })
    try {
      await use(createRawHost(patchbay, connector))
    } finally {
      await patchbay.close()
    }
  }
  const titleFor = async (host: RawHost, clientId: string) =>
    (await hostBrowser().open(host.authorizationUrl(clientId))).title
  const [unknown, asked] = ['We do not know this app', 'Who are you?']
  const callbackHost = new URL(hostCallback).hostname

  // @guards src/authorization-server/judge-client.ts:createJudgeClient
  it('RG-14: one that is not allowed cannot register, and is told why', async () => {
    await under({ CLIENT_HOSTS_ALLOW: 'claude.ai' }, async (host) => {
      const { status, body } = await host.register()
      expect([status, body.error]).to.deep.equal([400, 'invalid_redirect_uri'])
      expect(body.error_description).to.include('may not be used here')
      const claude = { redirect_uris: ['https://claude.ai/api/mcp/auth_callback'] }
      expect((await host.register(claude)).status, 'control').to.equal(201)
    })
  })

  // @guards src/authorization-server/oidc-adapter.ts:createOidcAdapter
  it('RG-14: one that registered before is known no longer, neither for consent nor for a refresh', async () => {
    await under({ CLIENT_HOSTS_DENY: callbackHost }, async (host) => {
      expect(await titleFor(host, registered)).to.equal(unknown)
      const { status, body } = await host.refresh(registered, refreshToken)
      expect([status, body.error]).to.deep.equal([401, 'invalid_client'])
    })
    await under({ CLIENT_HOSTS_ALLOW: callbackHost }, async (host) => {
      expect(await titleFor(host, registered), 'control').to.equal(asked)
    })
  })

  // @guards src/authorization-server/authorization-server.ts:make
  it('RG-14: the document of one that is not allowed is not even fetched', async () => {
    const before = document.requests()
    await under({ CLIENT_HOSTS_ALLOW: callbackHost }, async (host) => {
      expect(await titleFor(host, document.url)).to.equal(unknown)
      expect(document.requests()).to.equal(before)
    })
    await under({ CLIENT_HOSTS_ALLOW: new URL(document.url).hostname }, async (host) => {
      expect(await titleFor(host, document.url), 'control').to.equal(asked)
    })
  })
})
