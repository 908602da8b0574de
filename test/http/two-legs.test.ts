import { expect } from 'chai'
import { request } from 'undici'
import { type Arrival, askForLink, createConnector, stopAtCallback } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal } from '../support/problem.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'

/** Alice's program begins, somebody's browser goes: only what Alice's program posts makes a connection of it. */
describe('POST /connectors/{id}/connect with `completion`', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let clock: TestClock
  let alice: string
  let bob: string
  let id: string
  let count = 0
  const redirectUrl = () => `${patchbay.url}/done?session=1`

  before(async () => {
    clock = createTestClock()
    upstream = await startScriptedOAuth()
    patchbay = await startPatchbay({ clock })
    alice = await patchbay.createKey({ subject: 'alice' })
    bob = await patchbay.createKey({ subject: 'bob' })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })
  beforeEach(async () => {
    id = await newConnector(alice)
  })

  const newConnector = (key: string) => {
    count += 1
    return createConnector(patchbay, upstream.url, { key, label: `two legs ${count}` })
  }
  const ask = (connector = id, key = alice) => {
    const body = { completion: 'code', redirect_url: redirectUrl() }
    return askForLink(patchbay, connector, { key, body })
  }
  const read = async (connector = id, key = alice) =>
    (await patchbay.request('GET', `${connectors}/${connector}`, { key })).body
  /** The browser's last step. @returns where it is sent */
  const come = async ({ callback, cookie }: Arrival): Promise<URL> => {
    const { statusCode, headers, body } = await request(callback, { headers: { cookie } })
    await body.dump()
    expect(statusCode).to.equal(302)
    return new URL(String(headers.location))
  }
  const finish = async (connector = id, key = alice): Promise<string> => {
    const back = await come(await stopAtCallback(patchbay, await ask(connector, key)))
    return back.searchParams.get('completion') ?? ''
  }
  const post = (completion: string, { key = alice, connector = id } = {}): Promise<Answer> =>
    patchbay.request('POST', `${connectors}/${connector}/connect/complete`, { key, body: { completion } })

  // @guards src/connections/receive-callback.ts:createReceiveCallback
  it('CB-03: a browser that finishes gives nothing, until the same key posts the completion', async () => {
    const asked = upstream.tokenRequests.length
    const completion = await finish()
    expect((await read()).state).to.equal('auth_required')
    expect(upstream.tokenRequests.length, 'the code is not redeemed').to.equal(asked)

    const { status, body } = await post(completion)
    expect([status, body.state, body.auth_request]).to.deep.equal([200, 'connected', null])
    expect(upstream.tokenRequests.length).to.equal(asked + 1)
  })

  // @guards src/http/routes/connect-pages.ts:withCompletion
  it('RD-04, RD-06: the completion is all that is added to redirect_url, and stands for nothing else', async () => {
    const arrival = await stopAtCallback(patchbay, await ask())
    const back = await come(arrival)
    expect(back.href).to.match(new RegExp(`^${patchbay.url}/done\\?session=1&completion=[\\w-]{43}$`))
    for (const secret of ['code', 'state']) {
      expect(back.href).to.not.include(arrival.callback.searchParams.get(secret) ?? 'missing')
    }
  })

  describe('CB-03: when the completion comes from elsewhere', () => {
    const refused = (send: () => Promise<Answer>) =>
      expectRefusal(patchbay, send, { status: 410, code: 'link_expired' })

    // @guards src/storage/flow-stores.ts:takeParked
    it('CB-03: refuses another key of the tenant, at the same connector', async () => {
      const shared = await createConnector(patchbay, upstream.url, {
        label: `shared ${count}`,
        credential_scope: 'user',
      })
      const completion = await finish(shared, alice)
      const asked = upstream.tokenRequests.length
      await refused(() => post(completion, { key: bob, connector: shared }))
      expect(upstream.tokenRequests.length).to.equal(asked)
      expect((await post(completion, { connector: shared })).status, 'and uses nothing up').to.equal(200)
    })

    it('CB-03: refuses it at another connector of the same key', async () => {
      const completion = await finish()
      const other = await newConnector(alice)
      await refused(() => post(completion, { connector: other }))
      expect((await post(completion)).status, 'and uses nothing up').to.equal(200)
    })

    it('CB-03: refuses it at a connector that the caller does not see', async () => {
      const completion = await finish()
      const foreign = () => post(completion, { key: bob })
      await expectRefusal(patchbay, foreign, { status: 404, code: 'not_found' })
    })

    it('CB-03: refuses it a second time', async () => {
      const completion = await finish()
      expect((await post(completion)).status).to.equal(200)
      const asked = upstream.tokenRequests.length
      await refused(() => post(completion))
      expect(upstream.tokenRequests.length).to.equal(asked)
    })

    it('CB-03: of two posts at once, one gets it', async () => {
      const completion = await finish()
      const asked = upstream.tokenRequests.length
      const answers = await Promise.all([post(completion), post(completion)])
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 410])
      expect(upstream.tokenRequests.length).to.equal(asked + 1)
    })

    it('CB-03: refuses one that was never given out', () => refused(() => post('x'.repeat(43))))

    it('CB-03: refuses one that has expired', async () => {
      const completion = await finish()
      clock.advance(600_000)
      await refused(() => post(completion))
      expect((await read()).state).to.equal('auth_required')
    })

    it('CB-06: refuses one after a disconnect', async () => {
      const completion = await finish()
      await patchbay.request('POST', `${connectors}/${id}/disconnect`, { key: alice })
      const asked = upstream.tokenRequests.length
      expect((await post(completion)).body.code).to.equal('link_expired')
      expect(upstream.tokenRequests.length).to.equal(asked)
      expect((await read()).state).to.equal('disconnected')
    })
  })

  it('CB-03: a link that Alice made and Bob followed to its end gives Bob nothing either', async () => {
    const completion = await finish()
    const his = await newConnector(bob)
    const stolen = () => post(completion, { key: bob, connector: his })
    await expectRefusal(patchbay, stolen, { status: 410, code: 'link_expired' })
    expect((await read(his, bob)).state).to.equal('created')
  })

  it('a refusal by the person needs no completion: redirect_url says so at once', async () => {
    const { callback, cookie } = await stopAtCallback(patchbay, await ask())
    callback.searchParams.delete('code')
    callback.searchParams.set('error', 'access_denied')
    const back = await come({ callback, cookie })
    expect(Object.fromEntries(back.searchParams)).to.deep.equal({
      session: '1',
      error: 'access_denied',
      error_description: 'authorization_denied',
    })
    expect((await read()).state).to.equal('auth_required')
  })

  it('refuses `completion` without redirect_url', () =>
    expectRefusal(
      patchbay,
      () => patchbay.request('POST', `${connectors}/${id}/connect`, { key: alice, body: { completion: 'code' } }),
      { code: 'invalid_request', paths: ['redirect_url'] },
    ))

  it('refuses another kind of completion', () =>
    expectRefusal(
      patchbay,
      () =>
        patchbay.request('POST', `${connectors}/${id}/connect`, {
          key: alice,
          body: { completion: 'token', redirect_url: redirectUrl() },
        }),
      { code: 'invalid_request', paths: ['completion'] },
    ))
})
