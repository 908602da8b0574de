import { expect } from 'chai'
import { request } from 'undici'
import { callTool } from '../../support/call-tool.ts'
import { askForLink, followLink, stopAtCallback } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, rowOf, runAsWorker } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { respondJson } from '../../support/upstreams/scripted-upstream.ts'

const connectors = '/api/v1/connectors'

/** What a person does while a refresh is under way, at another instance. */
describe('a person during a refresh', () => {
  let one: Patchbay
  let two: Patchbay
  let upstream: ScriptedOAuth
  let count = 0

  before(async () => {
    one = await startPatchbay()
    two = await startPatchbay({ sharing: one })
  })
  after(async () => {
    await two.close()
    await one.close()
  })
  beforeEach(async () => {
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(() => upstream.close())

  const connected = () => {
    count += 1
    return connectTo(one, upstream, { label: `person ${count}` })
  }
  const read = async (id: string) => (await one.request('GET', `${connectors}/${id}`)).body
  /** Begins a refresh that hangs at the authorization server. */
  const hanging = async (id: string) => {
    const gate = upstream.holdTokens()
    const before = gate.arrivals
    const result = runAsWorker(one.app, await rowOf(one, id))
    await until('the refresh to be under way', () => gate.arrivals === before + 1)
    return { gate, result }
  }

  const ends: readonly [string, (id: string) => Promise<unknown>][] = [
    ['disconnect', (id) => two.request('POST', `${connectors}/${id}/disconnect`)],
    ['delete', (id) => two.request('DELETE', `${connectors}/${id}`)],
    [
      'a change of the URL',
      (id) => two.request('PATCH', `${connectors}/${id}`, { body: { url: 'https://moved.example' } }),
    ],
  ]
  for (const [what, end] of ends) {
    for (const [outcome, answer] of [
      ['a new token', null],
      ['invalid_grant', respondJson({ error: 'invalid_grant' }, 400)],
      ['an outage', respondJson({}, 429)],
    ] as const) {
      // @guards src/storage/change-connection.ts:writeStatement
      it(`REL-06: ${what} wins over ${outcome}`, async () => {
        const id = await connected()
        const { gate, result } = await hanging(id)
        await end(id)
        const between = what === 'delete' ? null : await rowOf(one, id)
        upstream.answerTokensWith(answer)
        gate.open()
        expect(await result).to.equal('ended')
        if (answer === null) {
          const issued = upstream.refreshTokens.at(-1) ?? ''
          await until('the new token to be revoked', () => upstream.revoked.includes(issued))
        }
        if (between !== null) expect(await rowOf(one, id), 'not a column is written').to.deep.equal(between)
        else expect((await one.request('GET', `${connectors}/${id}`)).status).to.equal(404)
      })
    }
  }

  // @guards src/storage/change-connection.ts:writeStatement
  it('REL-06: a reconnect wins: the new grant stays, and what the refresh of the old one brought is revoked', async () => {
    const id = await connected()
    upstream.expireAccessTokens()
    await two.request('POST', `${connectors}/${id}/disconnect`)
    const link = await askForLink(two, id)
    expect((await followLink(link)).title).to.equal('Authorization Successful')
    const { gate, result } = await hanging(id)
    const old = await rowOf(one, id)
    gate.open()
    expect(await result).to.equal('refreshed')

    const late = await hanging(id)
    await two.request('POST', `${connectors}/${id}/disconnect`)
    const tab = stopAtCallback(two, await askForLink(two, id))
    late.gate.open()
    expect(await late.result).to.equal('ended')
    const { callback, cookie } = await tab
    const { body } = await request(callback, { headers: { cookie } })
    await body.dump()
    const row = await rowOf(one, id)
    expect(row.grant_epoch).to.be.above(old.grant_epoch)
    expect(row).to.include({ state: 'connected', token_version: 0 })
    expect((await callTool(one, id, 'ping')).text).to.equal('pong')
  })

  // @guards src/connections/connect.ts:createConnect
  it('REL-07: connecting again keeps the old grant working until the new one is stored and tried', async () => {
    const id = await connected()
    const { sealed_refresh_token, grant_epoch } = await rowOf(one, id)
    // the server now wants a person: its tokens are refused, and the refresh too
    await one.request('POST', `${connectors}/${id}/connect`, { body: {} })
    const arrivals = [await stopAtCallback(one, await forcedLink(id)), await stopAtCallback(one, await forcedLink(id))]
    for (let index = 0; index < 3; index++) expect((await callTool(one, id, 'ping')).text).to.equal('pong')
    expect(await rowOf(one, id), 'an abandoned consent breaks nothing').to.include({
      sealed_refresh_token,
      grant_epoch,
    })
    expect(upstream.revoked).to.deep.equal([])
    const { callback, cookie } = arrivals[1] ?? expect.fail()
    const { body } = await request(callback, { headers: { cookie } })
    expect(await body.text()).to.include('Authorization Successful')
    expect((await rowOf(one, id)).grant_epoch).to.equal(grant_epoch + 1)
    expect((await callTool(one, id, 'ping')).text).to.equal('pong')
  })

  /** A step-up: a reconnect that is asked for while the grant works. */
  async function forcedLink(id: string): Promise<string> {
    const { body } = await one.request('GET', `${connectors}/${id}`)
    if (body.auth_request !== null) return body.auth_request.authorization_endpoint
    upstream.answerMcpWith((response) => {
      response.writeHead(403, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="more"' })
      response.end()
    })
    await callTool(one, id, 'ping')
    upstream.answerMcpWith(null)
    return (await read(id)).auth_request.authorization_endpoint
  }

  describe('a callback that comes late, or twice', () => {
    for (const [what, end] of ends) {
      // @guards src/connections/redeem-callback.ts:createRedeemCallback
      it(`REL-29: loses against ${what}, also while its code is being redeemed`, async () => {
        count += 1
        const created = await one.request('POST', connectors, { body: { url: upstream.url, label: `late ${count}` } })
        const { id } = created.body
        const { callback, cookie } = await stopAtCallback(one, await askForLink(one, id))
        const gate = upstream.holdTokens()
        const come = async () => {
          const { body } = await request(callback, { headers: { cookie } })
          return /<code>(\w+)<\/code>/.exec(await body.text())?.[1]
        }
        const answers = [come(), come()]
        await until('the callback to be under way', () => gate.arrivals === 1)
        await end(id)
        gate.open()
        for (const code of await Promise.all(answers)) expect(code).to.be.oneOf(['link_expired', 'not_found'])
        expect(await come(), 'once more').to.equal('link_expired')
        const issued = upstream.refreshTokens.at(-1) ?? ''
        await until('the grant to be revoked', () => upstream.revoked.includes(issued))
        if (what === 'delete') return
        const row = await rowOf(one, id)
        expect(row).to.include({ sealed_access_token: null, sealed_refresh_token: null })
        expect(row.state).not.to.equal('connected')
      })
    }
  })
})
