import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import axe from 'axe-core'
import { expect } from 'chai'
import { type Browser, chromium, type Page } from 'playwright-core'
import { continuePage } from '../../../src/http/pages/continue-page.ts'
import { forwardingPage } from '../../../src/http/pages/forwarding-page.ts'
import { pageHeaders } from '../../../src/http/pages/page-headers.ts'
import { requireChromium } from '../../support/lanes.ts'
import { everyPage } from './every-page.ts'
import { xssCorpus } from './xss-corpus.ts'

const quiet = [
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const nonce = 'dGVzdC1ub25jZQ'
const headers = pageHeaders({ nonce, isHttps: false })

const question = (text: string, scopes: readonly string[] = [text]) =>
  continuePage(
    {
      action: '/connect/ticket',
      tenantName: text,
      initiatorLabel: text,
      beneficiary: { scope: 'user', subject: text },
      connectorName: text,
      upstream: new URL('https://mcp.stripe.com/'),
      authorizationServer: new URL('https://access.stripe.com/'),
      scopes,
    },
    nonce,
  )

describe('pages in a browser', function () {
  // A browser on a busy machine.
  this.timeout(60_000)
  let browser: Browser
  let page: Page
  const servers: Server[] = []

  before(async function () {
    const executablePath = requireChromium(this)
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] })
  })
  beforeEach(async () => {
    page = await browser.newPage()
  })
  afterEach(async () => {
    await page?.close()
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })
  after(async () => {
    await browser?.close()
  })

  /** A server on an origin of its own. */
  const serve = async (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
    const server = createServer(handler)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const answer = (response: ServerResponse, body: string, head: Readonly<Record<string, string>> = headers) =>
    response.writeHead(200, head).end(body)

  it('CN-05, RD-05: attacks in every field of every page run nothing and load nothing', async () => {
    // Names are cut after 60 characters, so the attacks come one by one; scopes are many, so all come there at once.
    const pages = [xssCorpus[1] ?? '', xssCorpus[11] ?? '']
      .flatMap((attack) => Object.values(everyPage(attack, nonce)))
      .concat(question('Acme', xssCorpus))
    const origin = await serve((request, response) => {
      const body = pages[Number(request.url?.slice(1))]
      // A forwarding page would leave; what it says beside is what is looked at.
      answer(response, (body ?? '').replace('http-equiv="refresh"', 'data-was="refresh"'))
    })
    const requested: string[] = []
    let pwned = 0
    page.on('request', (request) => requested.push(request.url()))
    await page.exposeFunction('pwned', () => {
      pwned += 1
    })
    for (const index of pages.keys()) {
      await page.goto(`${origin}/${index}`)
      expect(await page.locator('main h1').count()).to.equal(1)
    }
    expect(pwned).to.equal(0)
    expect(requested.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith('data:'))).to.deep.equal([])
    expect(requested.filter((url) => url.startsWith(origin))).to.have.lengthOf(pages.length)
  })

  it('CN-05: even a script that got in would be stopped by the policy, and runs without it', async () => {
    const body = question('Acme').replace('</main>', '<script>document.title = "pwned"</script></main>')
    const origin = await serve((request, response) =>
      answer(response, body, request.url === '/protected' ? headers : { 'Content-Type': 'text/html' }),
    )
    await page.goto(`${origin}/protected`)
    expect(await page.title()).to.equal('Connect this account?')
    await page.goto(`${origin}/bare`)
    expect(await page.title()).to.equal('pwned')
  })

  it('applies its style under the policy', async () => {
    const origin = await serve((_, response) => answer(response, question('Acme')))
    await page.goto(origin)
    const background = await page.evaluate("getComputedStyle(document.querySelector('.button')).backgroundColor")
    expect(background).to.equal('rgb(11, 107, 98)')
  })

  it('CN-07: a pressed Continue reaches another origin over the forwarding page, where a redirect would be blocked', async () => {
    const upstream = await serve((_, response) =>
      answer(response, '<title>Upstream</title>', { 'Content-Type': 'text/html' }),
    )
    const posted: IncomingMessage['headers'][] = []
    let redirects = false
    const origin = await serve((request, response) => {
      if (request.method === 'GET') return answer(response, question('Acme'))
      posted.push(request.headers)
      if (redirects) return response.writeHead(303, { Location: upstream }).end()
      return answer(response, forwardingPage({ target: new URL(upstream) }, nonce))
    })
    await page.goto(`${origin}/connect/ticket`)
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).to.equal('Continue to access.stripe.com')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${upstream}/`)
    expect(await page.title()).to.equal('Upstream')
    expect(posted).to.have.lengthOf(1)
    // What the route can tell its own form by; `Origin` says nothing under no-referrer.
    expect(posted[0]).to.include({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', origin: 'null' })
    expect(posted[0]).not.to.have.property('referer')

    redirects = true
    await page.goto(`${origin}/connect/ticket`)
    const blocked = page.waitForEvent('console', (message) => message.text().includes('form-action'))
    await page.getByRole('button').click()
    await blocked
    expect(page.url()).to.equal(`${origin}/connect/ticket`)
  })

  it('CN-08: shows itself in no frame', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/page') return answer(response, question('Acme'))
      if (request.url === '/other') return answer(response, '<h1>Other</h1>', { 'Content-Type': 'text/html' })
      return answer(response, '<iframe src=/page></iframe><iframe src=/other></iframe>', {
        'Content-Type': 'text/html',
      })
    })
    await page.goto(origin)
    const [framed, control] = page.frames().slice(1)
    expect(framed?.url()).to.equal('chrome-error://chromewebdata/')
    expect(await control?.locator('h1').textContent()).to.equal('Other')
  })

  for (const [colorScheme, width] of [
    ['light', 360],
    ['dark', 1000],
  ] as const) {
    it(`leaves axe-core nothing to complain about in ${colorScheme}, ${width} pixels wide`, async () => {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 700 })
      for (const [name, body] of Object.entries(everyPage('Acme', nonce))) {
        await page.setContent(body.replace('http-equiv="refresh"', 'data-was="refresh"'))
        expect(await complaints(), name).to.deep.equal([])
      }
      // The control: text in the colour of its background.
      await page.setContent(question('Acme').replace('</head>', '<style>.lead { color: Canvas }</style></head>'))
      expect(await complaints()).to.deep.equal(['color-contrast'])
    })
  }

  const complaints = async (): Promise<string[]> => {
    await page.evaluate(axe.source)
    const { violations, incomplete } = await page.evaluate<axe.AxeResults>('axe.run()')
    return [...violations, ...incomplete].map(({ id }) => id)
  }

  for (const [width, colorScheme] of [
    [1000, 'light'],
    [1000, 'dark'],
    [360, 'light'],
    [320, 'dark'],
  ] as const) {
    it(`fits into ${width} pixels in ${colorScheme}, however long the words are`, async () => {
      const words = ['Acme', 'W'.repeat(60), 'مرحبا بالعالم', 'https://www.googleapis.com/auth/drive.readonly']
      const pages = words.flatMap((word) => Object.entries(everyPage(word, nonce)))
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 700 })
      for (const [name, body] of pages) {
        await page.setContent(body.replace('http-equiv="refresh"', 'data-was="refresh"'))
        expect(await page.evaluate('document.documentElement.scrollWidth'), name).to.equal(width)
      }
    })
  }
})
