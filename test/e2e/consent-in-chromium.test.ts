import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import axe from 'axe-core'
import { expect } from 'chai'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { requireChromium } from '../support/lanes.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost, type RawHost } from '../support/raw-host.ts'
import { until } from '../support/until.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { type LoginProvider, startLoginProvider } from '../support/upstreams/login-provider.ts'

const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Ours, the sandbox and the organisation's provider, all on localhost, in a real browser. */
describe('a person in Chromium, asked by a host', function () {
  this.timeout(90_000)
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let patchbay: Patchbay
  let sandbox: Sandbox
  let provider: LoginProvider
  let callback: Server
  let arrived: URL[]
  let redirectUri: string
  let connector: string
  let host: RawHost
  let clientId: string

  before(async function () {
    const executablePath = requireChromium(this)
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] })
    callback = createServer((request, response) => {
      arrived.push(new URL(request.url ?? '/', redirectUri))
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Back at the host</title>')
    })
    await new Promise<void>((resolve) => callback.listen(0, '127.0.0.1', resolve))
    redirectUri = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/callback`
    const [port = 0] = await freePorts(1)
    ;[provider, sandbox] = await Promise.all([
      startLoginProvider(`http://localhost:${port}/oauth/login/callback`),
      startSandbox({ port: 0, tokenTtlSeconds: 300 }),
    ])
    patchbay = await startPatchbay({
      env: {
        PORT: String(port),
        OIDC_ISSUER: provider.issuer,
        OIDC_CLIENT_ID: provider.clientId,
        OIDC_CLIENT_SECRET: provider.clientSecret,
      },
    })
    connector = await createConnector(patchbay, sandbox.url, { credential_scope: 'user', metadata: { name: 'Notes' } })
    host = createRawHost(patchbay, connector)
    const registered = await host.register({
      redirect_uris: [redirectUri],
      client_name: 'A host',
      logo_uri: 'https://tracker.example/logo.png',
    })
    clientId = registered.body.client_id
  })
  beforeEach(async () => {
    arrived = []
    context = await browser.newContext({ viewport: { width: 360, height: 740 } })
    page = await context.newPage()
  })
  afterEach(() => context?.close())
  after(async () => {
    await browser?.close()
    callback?.close()
    await patchbay?.close()
    await sandbox?.close()
    await provider?.close()
  })

  const ask = () => page.goto(host.authorizationUrl(clientId, { redirect_uri: redirectUri }))
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
  const title = async () => (await page.locator('h1').textContent()) ?? ''
  async function enter(name: string): Promise<void> {
    await page.getByLabel('A name').fill(name)
    await press('Continue as this person')
  }
  const isBack = () => page.waitForURL((url) => url.href.startsWith(redirectUri))

  /** Nothing that axe-core calls serious, in either scheme, and nothing wider than a phone. */
  async function isFine(): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate<axe.AxeResults>('axe.run()')
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect(
        serious.map(({ id }) => id),
        `${await title()} in ${colorScheme}`,
      ).to.deep.equal([])
    }
    expect(await page.evaluate('document.documentElement.scrollWidth'), await title()).to.equal(360)
  }

  async function connectAtSandbox(account: string): Promise<void> {
    await press('Connect Notes')
    await page.waitForURL((url) => url.origin === sandbox.issuer)
    await page.getByRole('textbox').fill(account)
    await page.getByRole('button', { name: 'Authorize' }).click()
    await page.getByRole('button', { name: 'Authorize', exact: true }).waitFor()
    await page.waitForURL((url) => url.origin === patchbay.url)
  }

  // @guards src/http/pages/return-page.ts:returnPage
  it('CN-07: by connect token, with the upstream connected on the way; every page is fine on a phone', async () => {
    const { body } = await patchbay.request('POST', `/api/v1/connectors/${connector}/connect-tokens`, {
      body: { subject: 'carol' },
    })
    const requested: string[] = []
    page.on('request', (request) => requested.push(new URL(request.url()).host))
    await ask()
    expect(await title()).to.equal('Who are you?')
    await isFine()
    await page.getByLabel('Connect token').fill(body.connect_token)
    await press('Continue')
    expect(await title()).to.equal('Let A host use Notes?')
    await isFine()
    await connectAtSandbox('carol')
    await isFine()
    await press('Authorize')
    await isBack()
    const code = arrived[0]?.searchParams.get('code') ?? ''
    const { status } = await host.redeem(clientId, code, { redirect_uri: redirectUri })
    expect(status).to.equal(200)
    // CN-06: the picture that the host named was not asked for
    expect(requested).to.not.include('tracker.example')
  })

  // @guards src/http/pages/page-headers.ts:pageHeaders
  it('CN-06: pictures that a host names are not loaded', async () => {
    const requested: string[] = []
    page.on('request', (request) => requested.push(request.url()))
    await ask()
    await enter('alice')
    expect(requested.filter((url) => !url.startsWith(patchbay.url) && !url.startsWith('data:'))).to.deep.equal([])
    // and even one that found its way into the page would not be
    const refusedBy = await page.evaluate(`new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective))
      const picture = new Image()
      picture.onerror = () => resolve('nobody')
      picture.src = 'http://localhost:1/logo.png'
    })`)
    expect(refusedBy).to.equal('img-src')
  })

  it('by the organisation’s login', async () => {
    await ask()
    await press('Sign in with your organisation')
    await page.waitForURL((url) => url.origin === provider.issuer)
    await page.locator('input[name=login]').fill('dora')
    await page.locator('input[name=password]').fill('any')
    await page.locator('[type=submit]').click()
    await page.locator('[type=submit]').click()
    await page.waitForURL((url) => url.origin === patchbay.url)
    expect(await page.locator('main').textContent()).to.include('dora')
    await connectAtSandbox('dora')
    await press('Authorize')
    await isBack()
    expect(arrived[0]?.searchParams.has('code')).to.equal(true)
  })

  it('denies', async () => {
    await ask()
    await enter('alice')
    await press('Deny')
    await isBack()
    expect(arrived[0]?.searchParams.get('error')).to.equal('access_denied')
  })

  it('is told when the request has expired', async () => {
    await ask()
    await enter('alice')
    await withConnection(patchbay.databaseUrl, (client) =>
      client.query("DELETE FROM oauth_artifacts WHERE kind = 'Interaction'"),
    )
    await press('Deny')
    expect(await title()).to.equal('This page has expired')
    await isFine()
    expect(arrived).to.deep.equal([])
  })

  // @guards src/storage/authorization-server-stores.ts:createPrismaArtifactStore
  it('CN-10: presses twice, and one code comes', async () => {
    await ask()
    await enter('erin')
    await connectAtSandbox('erin')
    await page.getByRole('button', { name: 'Authorize', exact: true }).dblclick()
    await until('the host to be answered', () => arrived.length > 0)
    await isBack()
    const codes = await withConnection(patchbay.databaseUrl, async (client) => {
      const { rows } = await client.query(
        "SELECT 1 FROM oauth_artifacts a JOIN grants g ON g.id = a.grant_id JOIN principals p ON p.id = g.principal_id WHERE a.kind = 'AuthorizationCode' AND p.subject = 'erin'",
      )
      return rows.length
    })
    expect(codes).to.equal(1)
  })

  it('reaches Authorize with the Tab key, and presses it with Enter', async () => {
    await ask()
    await enter('erin')
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()')
    for (let presses = 0; presses < 10 && (await focused()) !== 'Authorize'; presses += 1) {
      await page.keyboard.press('Tab')
    }
    expect(await focused()).to.equal('Authorize')
    await page.keyboard.press('Enter')
    await isBack()
  })

  // @guards src/http/pages/page-headers.ts:pageHeaders
  it('CN-08: is asked in no frame', async () => {
    const url = host.authorizationUrl(clientId, { redirect_uri: redirectUri })
    await page.goto(redirectUri)
    await page.setContent(`<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`)
    await until('the frame to be refused', () => page.frames()[1]?.url().startsWith('chrome-error:') === true)
  })

  it('takes it back on the account page', async () => {
    await page.goto(`${patchbay.url}/account`)
    await isFine()
    await enter('erin')
    await isFine()
    await page.getByRole('button', { name: 'Take back' }).first().click()
    await page.getByRole('status').waitFor()
    await isFine()
  })
})
