import { expect } from 'chai'
import { request } from 'undici'
import { type Arrival, askForLink, createConnector, stopAtCallback } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal } from '../support/problem.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { until } from '../support/until.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'
const callbackPath = `${connectors}/oauth/callback`
const minute = 60_000

/** What `callback.test.ts` leaves: where a callback leads, what it leaves behind, and what its pages say and do not say. */
describe('connect links', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let clock: TestClock
  let id: string
  let count = 0

  before(async () => {
    clock = createTestClock()
    upstream = await startScriptedOAuth()
    patchbay = await startPatchbay({
      clock,
      env: { REDIRECT_URL_ALLOW: 'https://ok.example/app/,https://exact.example:8443/back' },
    })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })
  beforeEach(async () => {
    count += 1
    id = await createConnector(patchbay, upstream.url, { label: `link ${count}` })
  })

  const read = async () => (await patchbay.request('GET', `${connectors}/${id}`)).body
  const begin = async (body: object = {}) => stopAtCallback(patchbay, await askForLink(patchbay, id, { body }))
  const change = ({ callback, cookie }: Arrival, parameters: Readonly<Record<string, string | null>>): Arrival => {
    const changed = new URL(callback)
    for (const [name, value] of Object.entries(parameters)) {
      if (value === null) changed.searchParams.delete(name)
      else changed.searchParams.set(name, value)
    }
    return { callback: changed, cookie }
  }
  const come = async ({ callback, cookie }: Arrival) => {
    const { statusCode, headers, body } = await request(callback, { headers: { cookie, accept: 'text/html' } })
    const text = await body.text()
    return { status: statusCode, headers, location: String(headers.location ?? ''), text }
  }
  const codeOn = (text: string) => /<code>(\w+)<\/code>/.exec(text)?.[1]

  describe('when the authorization server says no', () => {
    // @guards src/connections/redeem-callback.ts:recordFailure
    it('CB-07: ends the attempt, and says why to whoever polls', async () => {
      const denied = change(await begin(), { code: null, error: 'access_denied', error_description: 'Not today' })
      const { status, text } = await come(denied)
      expect([status, codeOn(text)]).to.deep.equal([400, 'authorization_denied'])
      expect(text).to.not.include('Not today')
      const { state, last_error: lastError } = await read()
      expect([state, lastError?.code, lastError?.retryable]).to.deep.equal([
        'auth_required',
        'authorization_denied',
        false,
      ])
      const { body } = await patchbay.request('GET', `${connectors}/${id}/events`)
      expect(body.items.map((event: { code: string }) => event.code)).to.include('authorization_denied')
      expect((await come(denied)).text, 'used up').to.include('<code>link_expired</code>')
    })

    it('CB-07: the next attempt starts afresh, and takes the old error away', async () => {
      await come(change(await begin(), { code: null, error: 'access_denied' }))
      expect((await come(await begin())).status).to.equal(200)
      const { state, last_error: lastError } = await read()
      expect([state, lastError]).to.deep.equal(['connected', null])
    })

    for (const [title, iss] of [
      ['of another', 'https://evil.example'],
      ['missing', null],
      ['in another spelling', 'slash'],
    ] as const) {
      it(`CB-07: shows and believes nothing of an error whose iss is ${title}`, async () => {
        const wrong = change(await begin(), {
          code: null,
          error: 'access_denied',
          error_description: 'call +1 555 0100',
          error_uri: 'https://evil.example/help',
          iss: iss === 'slash' ? `${upstream.origin}/` : iss,
        })
        const { status, text } = await come(wrong)
        expect([status, codeOn(text)]).to.deep.equal([400, 'authorization_server_invalid'])
        expect(text).to.not.match(/denied|555 0100|evil\.example/)
        expect((await read()).last_error?.code).to.equal('authorization_server_invalid')
      })
    }

    it('CB-07: redeems no code whose iss is of another', async () => {
      const asked = upstream.tokenRequests.length
      const { text } = await come(change(await begin(), { iss: 'https://evil.example' }))
      expect(codeOn(text)).to.equal('authorization_server_invalid')
      expect(upstream.tokenRequests.length).to.equal(asked)
    })
  })

  describe('when something happens while the code is redeemed', () => {
    for (const [what, method, path, status] of [
      ['a disconnect', 'POST', '/disconnect', 200],
      ['a deletion', 'DELETE', '', 204],
      ['another url', 'PATCH', '', 200],
    ] as const) {
      // @guards src/connections/redeem-callback.ts:revokeLater
      it(`CB-06: ${what} wins: nothing is stored, and the token is revoked`, async () => {
        const arrival = await begin()
        const [asked, revoked, given] = [upstream.tokenRequests, upstream.revoked, upstream.refreshTokens].map(
          ({ length }) => length,
        ) as [number, number, number]
        const gate = upstream.holdTokens()
        const coming = come(arrival)
        await until('the token request', () => upstream.tokenRequests.length > asked)
        const body = method === 'PATCH' ? { url: `${upstream.url}?other` } : undefined
        const answer = await patchbay.request(method, `${connectors}/${id}${path}`, { body })
        expect(answer.status).to.equal(status)
        gate.open()
        expect(codeOn((await coming).text)).to.equal('link_expired')
        await until('the revocation', () => upstream.revoked.length > revoked)
        expect(upstream.revoked.slice(revoked)).to.deep.equal(upstream.refreshTokens.slice(given))
        const { state, code } = await read()
        expect(state ?? code).to.equal({ POST: 'disconnected', DELETE: 'not_found', PATCH: 'disconnected' }[method])
      })
    }

    it('CB-06: after a disconnect, a callback redeems nothing', async () => {
      const arrival = await begin()
      await patchbay.request('POST', `${connectors}/${id}/disconnect`)
      const asked = upstream.tokenRequests.length
      expect(codeOn((await come(arrival)).text)).to.equal('link_expired')
      expect(upstream.tokenRequests.length).to.equal(asked)
      expect((await read()).state).to.equal('disconnected')
    })
  })

  it('CB-05: two tabs: the one that is refused does not disturb the one that goes on', async () => {
    const link = await askForLink(patchbay, id)
    const [older, newer] = [await stopAtCallback(patchbay, link), await stopAtCallback(patchbay, link)]
    await come(change(newer, { code: null, error: 'access_denied' }))
    expect((await come(older)).status).to.equal(200)
    expect((await read()).state).to.equal('connected')
  })

  describe('pages and redirects of the callback', () => {
    const endings: readonly (readonly [title: string, end: (arrival: Arrival) => Arrival, body: object])[] = [
      ['connected', (arrival) => arrival, {}],
      ['refused', (arrival) => change(arrival, { code: null, error: 'access_denied' }), {}],
      ['unknown', (arrival) => change(arrival, { state: 'x'.repeat(43) }), {}],
      ['sent back', (arrival) => arrival, { redirect_url: 'https://ok.example/app/done' }],
    ]
    for (const [title, end, body] of endings) {
      // @guards src/http/pages/page-headers.ts:pageHeaders
      it(`CB-11: are not stored, send no referrer and load nothing: ${title}`, async () => {
        const { headers, text } = await come(end(await begin(body)))
        expect(headers['cache-control']).to.equal('no-store')
        expect(headers['referrer-policy']).to.equal('no-referrer')
        expect(headers['x-content-type-options']).to.equal('nosniff')
        if (headers.location === undefined) {
          expect(headers['content-security-policy']).to.match(/^default-src 'none'; style-src 'nonce-[\w-]{43}'/)
          expect(headers['content-security-policy']).to.include("frame-ancestors 'none'")
        }
        expect(text).to.not.match(/<(script|img|iframe|object)\b|<link[^>]*href="(?!data:)|\bsrc=|url\(|@import/)
      })
    }

    // @guards src/storage/flow-stores.ts:consume
    it('CB-12: are the same for a state that is unknown, expired, used, foreign, or cut off', async () => {
      const used = await begin()
      await come(used)
      await patchbay.request('POST', `${connectors}/${id}/disconnect`)
      const late = await begin()
      clock.advance(10 * minute + 1000)
      const [foreign, other] = [await begin(), await begin()]
      const attempts: Readonly<Record<string, Arrival>> = {
        unknown: change(foreign, { state: 'x'.repeat(43) }),
        expired: late,
        used,
        foreign: { ...foreign, cookie: other.cookie },
        'without a cookie': { ...foreign, cookie: '' },
        'cut off': change(foreign, { state: foreign.callback.searchParams.get('state')?.slice(0, 20) ?? '' }),
      }
      const answers = new Set<string>()
      for (const attempt of Object.values(attempts)) {
        const { status, headers, text } = await come(attempt)
        const { date: _date, 'x-request-id': _requestId, ...others } = headers
        const answer = JSON.stringify([status, others, text])
        answers.add(answer.replaceAll(/nonce[-=\\"]+[\w-]{43}/g, '').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, ''))
      }
      expect([...answers]).to.have.length(1)
      expect([...answers][0]).to.include('link_expired')
    })

    // @guards src/http/routes/connect-pages.ts:forward
    it('RD-08: answer a pressed Continue with a page, not with a redirect', async () => {
      const link = await askForLink(patchbay, id)
      const { statusCode, headers, body } = await request(link, { method: 'POST' })
      await body.dump()
      expect([statusCode, headers.location]).to.deep.equal([200, undefined])
    })
  })

  describe('redirect_url', () => {
    const ask = (redirectUrl: string) =>
      patchbay.request('POST', `${connectors}/${id}/connect`, { body: { redirect_url: redirectUrl } })

    for (const allowed of [
      'https://ok.example/app/done',
      'https://ok.example/app/',
      'https://exact.example:8443/back',
      'https://exact.example:8443/back?x=1',
    ]) {
      // @guards src/connections/redirect-policy.ts:isUnder
      it(`RD-01: takes ${allowed}`, async () => {
        expect((await ask(allowed)).body.state).to.equal('auth_required')
      })
    }

    const refused: readonly (readonly [id: string, url: string])[] = [
      ['RD-01', 'https://other.example/app/'],
      ['RD-01', 'https://ok.example/'],
      ['RD-01', 'https://ok.example/application'],
      ['RD-01', 'https://ok.example/app/../admin'],
      ['RD-01', 'https://ok.example/app/%2e%2e/admin'],
      ['RD-01', 'https://exact.example:8443/backdoor'],
      ['RD-01', 'http://localhost:1/'],
      ['RD-02', 'javascript:alert(1)'],
      ['RD-02', 'JaVaScRiPt:alert(1)//https://ok.example/app/'],
      ['RD-02', 'java\nscript:alert(1)'],
      ['RD-02', ' https://ok.example/app/'],
      ['RD-02', 'https://ok.example/app/\tx'],
      ['RD-02', 'https://ok.example/app/\u0085'],
      ['RD-02', 'data:text/html,x'],
      ['RD-02', 'file:///etc/passwd'],
      ['RD-02', 'vbscript:x'],
      ['RD-02', 'blob:https://ok.example/app/'],
      ['RD-02', 'mailto:a@ok.example'],
      ['RD-02', 'myapp://done'],
      ['RD-03', 'https://ok.example@evil.example/app/'],
      ['RD-03', 'https://ok.example\\@evil.example/app/'],
      ['RD-03', 'https://user@ok.example/app/'],
      ['RD-03', '//evil.example/app/'],
      ['RD-03', '///evil.example/app/'],
      ['RD-03', 'https:evil.example/app/'],
      ['RD-03', '%2f%2fevil.example/app/'],
      ['RD-03', '/app/'],
      ['RD-03', 'https://ok.example.evil.example/app/'],
      ['RD-03', 'https://ok.example./app/'],
      ['RD-03', 'https://оk.example/app/'],
      ['RD-03', 'https://ok.example:8443/app/'],
      ['RD-03', 'http://ok.example/app/'],
      ['RD-03', 'https://ok.example/app/#x'],
    ]
    for (const [row, url] of refused) {
      it(`${row}: refuses ${JSON.stringify(url)} when connecting, and asks nobody`, async () => {
        const asked = upstream.received.length
        await expectRefusal(patchbay, () => ask(url), { code: 'redirect_url_not_allowed', paths: ['redirect_url'] })
        expect(upstream.received.length).to.equal(asked)
      })
    }

    it('RD-04, RD-06: on success it is left as it is: no code, no state, no token', async () => {
      const redirectUrl = 'https://ok.example/app/done?keep=a%20b&keep=c'
      const { status, location } = await come(await begin({ redirect_url: redirectUrl }))
      expect([status, location]).to.deep.equal([302, redirectUrl])
    })

    // @guards src/http/routes/connect-pages.ts:withError
    it('RD-04: on failure what is added is encoded, after the client’s own query, in words of ours', async () => {
      const arrival = await begin({ redirect_url: 'https://ok.example/app/done?keep=a%26b' })
      const parameters = { code: null, error: 'access_denied', error_description: 'x&admin=1\u00e9'.repeat(50) }
      const { location } = await come(change(arrival, parameters))
      expect(location).to.equal(
        'https://ok.example/app/done?keep=a%26b&error=access_denied&error_description=authorization_denied',
      )
      for (const secret of ['code', 'state']) {
        expect(location).to.not.include(arrival.callback.searchParams.get(secret) ?? 'missing')
      }
    })

    it('RD-04: on failure the client’s own parameters are not overwritten', async () => {
      const redirectUrl = 'https://ok.example/app/done?error=mine&error_description=mine'
      const arrival = await begin({ redirect_url: redirectUrl })
      const { location } = await come(change(arrival, { code: null, error: 'access_denied' }))
      expect(location).to.equal(redirectUrl)
    })

    // @guards src/connections/redirect-policy.ts:isAllowed
    it('RD-01: without a list, on a public origin, only that origin is on it', async () => {
      const open = await startPatchbay({ sharing: patchbay, env: { PUBLIC_URL: 'https://patchbay.example' } })
      const headers = { host: 'patchbay.example' }
      const askThere = async (redirectUrl: string) => {
        const { body } = await request(`${open.url}${connectors}/${id}/connect`, {
          method: 'POST',
          headers: { ...headers, authorization: `Bearer ${patchbay.admin}`, 'content-type': 'application/json' },
          body: JSON.stringify({ redirect_url: redirectUrl }),
        })
        return ((await body.json()) as { code?: string }).code
      }
      try {
        expect(await askThere('http://localhost:1/')).to.equal('redirect_url_not_allowed')
        expect(await askThere('https://ok.example/app/')).to.equal('redirect_url_not_allowed')
        // what stands in the way next is the guard: this upstream is on loopback
        expect(await askThere('https://patchbay.example/done')).to.equal('upstream_unreachable')
      } finally {
        await open.close()
      }
    })
  })

  describe('with CONNECT_CONFIRMATION=none', () => {
    let straight: Patchbay
    before(async () => {
      straight = await startPatchbay({ sharing: patchbay, env: { CONNECT_CONFIRMATION: 'none' } })
    })
    after(() => straight.close())

    it('goes straight on, and connects', async () => {
      const browser = createBrowser()
      const page = await browser.open(await askForLink(straight, id))
      expect(page.title).to.include('Authorization Successful')
      expect((await read()).state).to.equal('connected')
    })

    it('CB-09: previews still begin nothing', async () => {
      const link = await askForLink(straight, id)
      for (const [method, headers] of [
        ['HEAD', {}],
        ['GET', { 'sec-purpose': 'prefetch' }],
        ['GET', { 'sec-fetch-mode': 'no-cors' }],
      ] as const) {
        const { headers: answered, body } = await request(link, { method, headers })
        await body.dump()
        expect(answered['set-cookie'], method).to.equal(undefined)
      }
    })

    it('CB-03: still ends only in the browser that began', async () => {
      const browser = createBrowser({ stopAt: [`${straight.url}${callbackPath}`] })
      const { url } = await browser.open(await askForLink(straight, id))
      expect((await come({ callback: new URL(url), cookie: '' })).status).to.equal(400)
      expect((await read()).state).to.equal('auth_required')
    })
  })
})
