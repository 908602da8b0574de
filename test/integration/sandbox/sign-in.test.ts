import { expect } from 'chai'
import type * as oauth from 'openid-client'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { createBrowser } from '../../support/upstreams/browser.ts'
import { answerSignIn, beginAuthorization, callback, registerClient } from './journey.ts'

describe('sandbox: the sign-in page', () => {
  let sandbox: Sandbox
  let client: oauth.Configuration
  before(async () => {
    sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    client = await registerClient(sandbox.issuer, { client_name: '<script>alert("x")</script> & Co' })
  })
  after(() => sandbox.close())

  const openPage = async () => {
    const browser = createBrowser({ stopAt: [callback] })
    const { url } = await beginAuthorization(client)
    await browser.open(url.href)
    return browser
  }

  it('names the client, where the answer goes and what is asked for, all escaped', async () => {
    const { page } = await openPage()
    expect(page.status).to.equal(200)
    expect(page.title).to.equal('Who are you? · Sandbox')
    expect(page.text).to.include('<script>alert("x")</script> & Co wants to use')
    expect(page.html).to.not.include('<script')
    expect(page.text).to.include('Returns to localhost:9').and.include('use the tools (mcp)')
  })

  it('needs no script, is framed by nobody and cached nowhere', async () => {
    const { page } = await openPage()
    expect(page.headers.get('content-security-policy'))
      .to.include("default-src 'none'")
      .and.include("frame-ancestors 'none'")
      .and.not.include('form-action')
      .and.not.include('unsafe-inline')
    expect(page.headers.get('cache-control')).to.equal('no-store')
  })

  it('sets cookies under names of its own, since cookie jars ignore ports', async () => {
    const { cookies } = await openPage()
    expect(cookies.names('localhost')).to.not.be.empty
    for (const name of cookies.names('localhost')) expect(name).to.match(/^sandbox_/)
  })

  it('asks again each time, also in a browser that has been here', async () => {
    const browser = createBrowser({ stopAt: [callback] })
    for (const account of ['Alice', 'Bob', 'Alice']) {
      const attempt = await beginAuthorization(client)
      const arrived = await answerSignIn(attempt, { fields: { account } }, browser)
      expect(new URL(arrived.url).searchParams.has('code'), account).to.equal(true)
    }
  })

  it('takes a typed name before a picked one', async () => {
    const browser = await openPage()
    const refused = await browser.submit({ button: 'Authorize', fields: { account: 'Bob', name: 'x'.repeat(41) } })
    expect(refused.status).to.equal(400)
    expect(refused.text).to.include('A name has 1 to 40 ordinary characters.')
    const arrived = await browser.submit({ button: 'Authorize', fields: { account: 'Bob', name: ' Eve ' } })
    expect(new URL(arrived.url).searchParams.has('code')).to.equal(true)
  })

  it('cannot be answered twice', async () => {
    const browser = await openPage()
    const { url } = browser.page
    await browser.submit({ button: 'Authorize' })
    const again = await browser.open(url)
    expect(again.status).to.equal(400)
    expect(again.text).to.include('This page has expired')
  })

  it('cannot be answered from another browser', async () => {
    const { page } = await openPage()
    const other = await createBrowser().open(page.url)
    expect(other.status).to.equal(400)
  })

  it('drops an answer that another page posts', async () => {
    const { page, cookies } = await openPage()
    const post = (site: string) =>
      fetch(page.url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          cookie: cookies.header(new URL(page.url), { isSameSite: true, method: 'POST' }),
          'content-type': 'application/x-www-form-urlencoded',
          'sec-fetch-site': site,
        },
        body: 'decision=authorize&account=Alice',
      })
    expect((await post('same-site')).status).to.equal(403)
    expect((await post('cross-site')).status).to.equal(403)
    expect((await post('same-origin')).status).to.equal(303)
  })

  it('says on its home page what it is', async () => {
    const page = await createBrowser().open(sandbox.issuer)
    expect(page.status).to.equal(200)
    expect(page.text).to.include(sandbox.url)
  })
})
