import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { authorizeHost, createHost, hostBrowser } from '../support/host.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost } from '../support/raw-host.ts'
import { type Browser, createBrowser } from '../support/upstreams/browser.ts'

describe('a connect link that a person began, through a host of theirs', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let sandbox: Sandbox
  let id: string
  let link: string

  before(async () => {
    ;[patchbay, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 300 })])
    id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
    const host = await authorizeHost(createHost(patchbay, id), 'alice')
    const key = await patchbay.createKey({ subject: 'alice' })
    await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`, { key })
    const prompt = await patchbay.request('POST', `/connectors/${id}/mcp`, {
      key: host.given().access_token,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'connect', arguments: {} } },
      headers: { accept: 'application/json, text/event-stream' },
    })
    link = /http:\/\/[^\s"\\]+\/connect\/[\w-]+/.exec(prompt.text)?.[0] ?? ''
    expect(link, prompt.text).to.not.equal('')
    await withConnection(patchbay.databaseUrl, (client) => client.query('DELETE FROM flows'))
  })
  after(async () => {
    await patchbay.close()
    await sandbox.close()
  })

  const flows = () =>
    withConnection(patchbay.databaseUrl, async (client) => (await client.query('SELECT 1 FROM flows')).rowCount)

  /** Presses Continue by hand, as somebody who has the link and these cookies. */
  async function press(browser: Browser): Promise<number> {
    const cookie = browser.cookies.header(new URL(link), { isSameSite: true, method: 'POST' })
    const headers = { 'content-type': 'application/x-www-form-urlencoded', ...(cookie === '' ? {} : { cookie }) }
    return (await fetch(link, { method: 'POST', headers, body: '', redirect: 'manual' })).status
  }

  async function isNobodys(browser: Browser): Promise<void> {
    await press(browser)
    expect(await flows(), 'nothing is stored, so no token is asked for').to.equal(0)
  }

  // @guards src/http/routes/connect-pages.ts:createConnectPages
  it('CB-03: asks who is there, and is no link for Bob: unknown, known, or of another organisation', async () => {
    const browser = createBrowser()
    expect((await browser.open(link)).title).to.equal('Who are you?')
    await isNobodys(browser)

    const page = await browser.submit({ button: 'name', fields: { name: 'bob' } })
    expect([page.status, page.title]).to.deep.equal([403, 'This link belongs to someone else'])
    await isNobodys(browser)

    const strangers = await patchbay.createKey({ subject: 'alice', tenant: 'elsewhere', role: 'admin' })
    const theirs = await createConnector(patchbay, 'https://mcp.example.com/mcp', { key: strangers })
    const minted = await patchbay.request('POST', `/api/v1/connectors/${theirs}/connect-tokens`, { key: strangers })
    const raw = createRawHost(patchbay, theirs)
    const elsewhere = hostBrowser()
    await elsewhere.open(raw.authorizationUrl((await raw.register()).body.client_id))
    await elsewhere.submit({ button: 'connect_token', fields: { connect_token: minted.body.connect_token } })
    expect((await elsewhere.open(link)).title).to.equal('This link belongs to someone else')
    await isNobodys(elsewhere)
  })

  it('CB-03: asks again after Alice signed out', async () => {
    const browser = createBrowser()
    await browser.open(link)
    expect((await browser.submit({ button: 'name', fields: { name: 'alice' } })).title).to.equal(
      'Connect this account?',
    )
    await browser.open(`${patchbay.url}/account`)
    await browser.submit({ button: 'leave' })
    expect((await browser.open(link)).title).to.equal('Who are you?')
    await isNobodys(browser)
  })

  it('CB-03: takes a connect token in place of another sign-in, and knows whose it is', async () => {
    for (const [subject, title] of [
      ['bob', 'This link belongs to someone else'],
      ['alice', 'Connect this account?'],
    ] as const) {
      const minted = await patchbay.request('POST', `/api/v1/connectors/${id}/connect-tokens`, { body: { subject } })
      const browser = createBrowser()
      await browser.open(link)
      const fields = { connect_token: minted.body.connect_token }
      expect((await browser.submit({ button: 'connect_token', fields })).title).to.equal(title)
    }
  })

  it('CB-03: leads on for Alice, who is named as the one who asked', async () => {
    const browser = createBrowser()
    await browser.open(link)
    const page = await browser.submit({ button: 'name', fields: { name: 'alice' } })
    expect(page.text).to.include('You').and.include('through Test host')
    await browser.submit()
    const done = await browser.submit({ button: 'Authorize', fields: { name: 'alice' } })
    expect(done.title).to.equal('Authorization Successful')
  })
})
