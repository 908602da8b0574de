import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { askForLink, authorize, createConnector } from '../support/connecting.ts'
import { authorizeHost, createHost, hostBrowser } from '../support/host.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost } from '../support/raw-host.ts'
import { type Browser, createBrowser } from '../support/upstreams/browser.ts'

type Entry = {
  actor: { id: string | null; kind: string; subject: string }
  address: string
  request_id: string
  action: string
  target: { type: string; id: string } | null
  fields: string[]
  outcome: string
  code: string | null
}

describe('GET /api/v1/audit, of what people do on pages', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let sandbox: Sandbox
  /** Each person has a connection of their own. */
  let id: string
  before(async () => {
    ;[patchbay, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 300 })])
    id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
  })
  after(async () => {
    await patchbay.close()
    await sandbox.close()
  })

  const query = (sql: string) =>
    withConnection(patchbay.databaseUrl, async (client) => (await client.query(sql)).rows as { n: number }[])
  const entries = async (filter: string): Promise<Entry[]> =>
    (await patchbay.request('GET', `/api/v1/audit?channel=page&${filter}`)).body.items
  /** What was done, newest first. */
  const told = async (filter: string) =>
    (await entries(filter)).map(({ actor, action, outcome, code }) => [actor.subject, action, outcome, code])
  const grantOf = async (subject: string): Promise<string> => {
    const { items } = (await patchbay.request('GET', '/api/v1/grants')).body
    return items.find((grant: { subject: string }) => grant.subject === subject)?.id
  }

  /** Sends what no button of the page that stands would. */
  async function press({ page, cookies }: Browser, fields: Record<string, string>): Promise<number> {
    const url = new URL(page.url)
    const formToken = /name="form_token" value="([\w-]+)"/.exec(page.html)?.[1] ?? ''
    const body = new URLSearchParams({ ...fields, form_token: formToken })
    const cookie = cookies.header(url, { isSameSite: true, method: 'POST' })
    return (await fetch(url, { method: 'POST', headers: { cookie }, body })).status
  }

  // @guards src/http/page-acts.ts:pageAct
  it('AU-01: tells of a link that was followed, by whoever had it, and of how it ended', async () => {
    const shared = await createConnector(patchbay, sandbox.url, { label: 'shared', credential_scope: 'tenant' })
    await authorize(patchbay, shared)
    const [finished, continued] = await entries(`target_id=${shared}`)
    const target = { type: 'connector', id: shared }
    expect(continued).to.deep.include({ action: 'continueConnect', target, outcome: 'ok', address: '127.0.0.1' })
    expect(finished).to.deep.include({ action: 'finishConnect', target, outcome: 'ok', fields: [] })
    expect(finished?.actor).to.include({ id: null, kind: 'anonymous' })
    expect(patchbay.logs.some((line) => line.includes(String(finished?.request_id)))).to.equal(true)
    expect(await entries(`target_id=${shared}`), 'looking at a link is no act').to.have.length(2)
  })

  it('AU-01: tells why it came to nothing', async () => {
    const refused = await createConnector(patchbay, sandbox.url, { label: 'refused', credential_scope: 'tenant' })
    const browser = createBrowser()
    await browser.open(await askForLink(patchbay, refused))
    await browser.submit()
    await browser.submit({ button: 'Deny' })
    expect(await told(`target_id=${refused}`)).to.deep.equal([
      ['anonymous', 'finishConnect', 'failed', 'authorization_denied'],
      ['anonymous', 'continueConnect', 'ok', null],
    ])
  })

  // @guards src/http/browser-sessions.ts:createBrowserSessions
  it('AU-01: tells who signed in, how, what they allowed to which app for which connector, and who left', async () => {
    await authorizeHost(createHost(patchbay, id), 'alice')
    expect(await told('subject=alice')).to.deep.equal([
      ['alice', 'authorizeApp', 'ok', null],
      ['alice', 'finishConnect', 'ok', null],
      ['alice', 'connectConnector', 'ok', null],
      ['alice', 'signIn', 'ok', null],
    ])
    const [allowed, , , signedIn] = await entries('subject=alice')
    expect(allowed?.target).to.deep.equal({ type: 'connector', id })
    expect(allowed?.actor).to.include({ kind: 'user' })
    expect(signedIn).to.deep.include({ fields: ['name'], target: null, actor: allowed?.actor })

    const browser = createBrowser()
    await browser.open(`${patchbay.url}/account`)
    await browser.submit({ button: 'name', fields: { name: 'alice' } })
    await browser.submit({ button: 'leave' })
    expect((await told('subject=alice')).slice(0, 2)).to.deep.equal([
      ['alice', 'signOut', 'ok', null],
      ['alice', 'signIn', 'ok', null],
    ])
  })

  it('AU-01: tells of a request that somebody refused; whose press nobody knows changes nothing', async () => {
    const raw = createRawHost(patchbay, id)
    const clientId = (await raw.register()).body.client_id
    const minted = await patchbay.request('POST', `/api/v1/connectors/${id}/connect-tokens`, {
      body: { subject: 'carol' },
    })
    const known = hostBrowser()
    await known.open(raw.authorizationUrl(clientId))
    const fields = { connect_token: minted.body.connect_token }
    await known.submit({ button: 'connect_token', fields })
    await known.submit({ button: 'deny' })
    const [refused, signedIn] = await entries('subject=carol')
    expect(refused).to.deep.include({ action: 'refuseApp', outcome: 'ok', target: { type: 'connector', id } })
    // the way in is told, and not what was given there
    expect(signedIn).to.deep.include({ action: 'signIn', fields: ['connect_token'], target: refused?.target })

    const [before] = await query('SELECT count(*)::int AS n FROM audit_entries')
    const unknown = hostBrowser()
    await unknown.open(raw.authorizationUrl(clientId))
    expect(await press(unknown, { action: 'deny' })).to.equal(200)
    expect(await query('SELECT count(*)::int AS n FROM audit_entries')).to.deep.equal([before])
  })

  // @guards src/http/routes/account-pages.ts:createAccountPages
  it('AU-01: tells of a grant that a person took back, and AU-04: of one that was not theirs', async () => {
    for (const name of ['dora', 'erik']) await authorizeHost(createHost(patchbay, id), name)
    const [doras, eriks] = [await grantOf('dora'), await grantOf('erik')]
    const browser = createBrowser()
    await browser.open(`${patchbay.url}/account`)
    await browser.submit({ button: 'name', fields: { name: 'dora' } })
    await press(browser, { action: 'revoke', grant_id: eriks })
    await browser.submit({ button: 'revoke' })
    expect(await told(`target_id=${doras}`)).to.deep.equal([['dora', 'revokeGrant', 'ok', null]])
    expect(await told(`target_id=${eriks}`)).to.deep.equal([['dora', 'revokeGrant', 'refused', 'not_found']])
    expect((await entries(`target_id=${doras}`))[0]?.target?.type).to.equal('grant')
  })

  // @guards src/http/routes/connect-pages.ts:createConnectPages
  it('AU-04: tells of a link of a person that somebody else opened', async () => {
    const own = await createConnector(patchbay, sandbox.url, { label: 'own', credential_scope: 'user' })
    const key = await patchbay.createKey({ subject: 'alice' })
    const host = await authorizeHost(createHost(patchbay, own), 'alice')
    await patchbay.request('POST', `/api/v1/connectors/${own}/disconnect`, { key })
    const prompt = await patchbay.request('POST', `/connectors/${own}/mcp`, {
      key: host.given().access_token,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'connect', arguments: {} } },
      headers: { accept: 'application/json, text/event-stream' },
    })
    const browser = createBrowser()
    await browser.open(/http:\/\/[^\s"\\]+\/connect\/[\w-]+/.exec(prompt.text)?.[0] ?? '')
    await browser.submit({ button: 'name', fields: { name: 'mallory' } })
    expect(await told(`target_id=${own}&subject=mallory`)).to.deep.equal([
      ['mallory', 'continueConnect', 'refused', 'forbidden'],
    ])
  })

  // @guards src/audit/audit-log.ts:createAuditLog
  it('AU-01: allows nothing that cannot be written down', async () => {
    const raw = createRawHost(patchbay, id)
    const clientId = (await raw.register()).body.client_id
    const browser = hostBrowser()
    const open = () => raw.openConsent(raw.authorizationUrl(clientId), { browser })
    const grants = async () => (await patchbay.request('GET', '/api/v1/grants')).body.total_count
    const before = await grants()
    await open()
    await query('ALTER TABLE audit_entries RENAME TO audit_entries_away')
    const { status } = await browser.submit({ button: 'authorize' })
    await query('ALTER TABLE audit_entries_away RENAME TO audit_entries')
    expect([status, await grants()]).to.deep.equal([500, before])
    await open()
    await browser.submit({ button: 'authorize' })
    expect(await grants(), 'negative control').to.equal(before + 1)
  })
})
