import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { createConnector } from '../../support/connecting.ts'
import { createHost, hostBrowser } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'
import type { Browser } from '../../support/upstreams/browser.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'
import { type LoginProvider, signIn, startLoginProvider } from '../../support/upstreams/login-provider.ts'
import { connectClient } from '../../support/upstreams/mcp-clients.ts'

describe("login at the organisation's OpenID provider, on the consent page", function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let provider: LoginProvider
  let sandbox: Sandbox
  let id: string
  let raw: RawHost
  let clientId: string

  before(async () => {
    const [port = 0] = await freePorts(1)
    const callback = `http://localhost:${port}/oauth/login/callback`
    ;[provider, sandbox] = await Promise.all([
      startLoginProvider(callback),
      startSandbox({ port: 0, tokenTtlSeconds: 300 }),
    ])
    patchbay = await startPatchbay({
      env: {
        PORT: String(port),
        OIDC_ISSUER: provider.issuer,
        OIDC_CLIENT_ID: provider.clientId,
        OIDC_CLIENT_SECRET: provider.clientSecret,
        OIDC_TENANT_CLAIM: 'org',
      },
    })
    id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
    raw = createRawHost(patchbay, id)
    clientId = (await raw.register()).body.client_id
  })
  beforeEach(() => {
    provider.claims.org = 'default'
  })
  after(async () => {
    await patchbay.close()
    await Promise.all([provider.close(), sandbox.close()])
  })

  /** As far as the consent page. */
  async function openAs(name: string, url: string, browser: Browser) {
    await browser.open(url)
    await browser.submit({ button: 'organisation' })
    return signIn(browser, name)
  }

  it('lets Alice and Bob in through one connector, each to an account of their own', async () => {
    for (const name of ['alice', 'bob']) {
      const host = createHost(patchbay, id, { client_name: `The host of ${name}` })
      await host.ask()
      const browser = hostBrowser()
      const page = await openAs(name, host.authorizationUrl().href, browser)
      expect(page.text, 'who is asked').to.include(name)
      await browser.submit({ button: 'connect' })
      await browser.submit({ button: 'Authorize', fields: { name } })
      await host.redeem(new URL((await browser.submit({ button: 'authorize' })).url))
      const { client, close } = await connectClient('legacy', {
        url: host.url,
        headers: { authorization: `Bearer ${host.given().access_token}` },
      })
      const { structuredContent } = await client.callTool({ name: 'whoami', arguments: {} })
      await close()
      expect(structuredContent).to.deep.include({ account: name })
    }
  })

  it('asks with PKCE S256, state and nonce', () => {
    const [first] = provider.requests
    expect(first?.get('code_challenge_method')).to.equal('S256')
    for (const name of ['code_challenge', 'state', 'nonce']) expect(first?.get(name), name).to.match(/^[\w-]{43}$/)
  })

  it('refuses who is of an organisation that is unknown here, and asks again', async () => {
    provider.claims.org = 'strangers'
    const browser = hostBrowser()
    const page = await openAs('mallory', raw.authorizationUrl(clientId), browser)
    expect([page.status, page.title]).to.deep.equal([400, 'You are not signed in'])
    expect((await browser.follow('Back')).title).to.equal('Who are you?')
  })

  it('CB-10: begins a new session, whatever the browser brought along', async () => {
    const browser = hostBrowser()
    const url = new URL(patchbay.url)
    const given = 'f'.repeat(43)
    browser.cookies.store(url, [`pb_person=${given}; Path=/`])
    await openAs('alice', raw.authorizationUrl(clientId), browser)
    const held = browser.cookies.header(url, { isSameSite: true, method: 'GET' })
    expect(held)
      .to.match(/pb_person=[\w-]{43}/)
      .and.not.include(given)
  })

  it('takes no answer twice, none of another browser, and none with another state', async () => {
    const callback = `${patchbay.url}/oauth/login/callback`
    const browser = hostBrowser(callback)
    await browser.open(raw.authorizationUrl(clientId))
    await browser.submit({ button: 'organisation' })
    const arrived = new URL((await signIn(browser, 'alice')).url)
    const cookie = browser.cookies.header(arrived, { isSameSite: false, method: 'GET' })
    const come = async (change: Record<string, string>, sent: string) => {
      const url = new URL(arrived)
      for (const [name, value] of Object.entries(change)) url.searchParams.set(name, value)
      const answer = await fetch(url, { redirect: 'manual', headers: sent === '' ? {} : { cookie: sent } })
      return [answer.status, answer.headers.getSetCookie().some((value) => /^pb_person=[\w-]/.test(value))]
    }
    expect(await come({}, ''), 'without the cookie').to.deep.equal([400, false])
    expect(await come({ state: 's'.repeat(43) }, cookie), 'another state').to.deep.equal([400, false])
    expect(await come({ iss: 'https://evil.example' }, cookie), 'another issuer').to.deep.equal([400, false])
    expect(await come({}, cookie), 'control').to.deep.equal([303, true])
    expect(await come({}, cookie), 'again').to.deep.equal([400, false])
  })
})
