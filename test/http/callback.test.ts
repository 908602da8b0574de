import { expect } from 'chai'
import { request } from 'undici'
import { askForLink, createConnector, stopAtCallback } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectNothingStored } from '../support/table-counts.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const path = '/api/v1/connectors/oauth/callback'
const minute = 60_000
type Method = 'GET' | 'HEAD' | 'POST'
type Page = { readonly status: number; readonly headers: Headers; readonly text: string }

const script = '<script>alert(1)</script>'

describe('connect links and their callback', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let clock: TestClock
  let id: string
  let authorize: () => Readonly<Record<string, string>>
  let count = 0

  before(async () => {
    clock = createTestClock()
    upstream = await startScriptedOAuth({ authorize: () => authorize() })
    patchbay = await startPatchbay({ clock })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })
  beforeEach(async () => {
    count += 1
    authorize = () => ({ code: upstream.newCode() })
    id = await createConnector(patchbay, upstream.url, { label: `callback ${count}` })
  })

  /** As an old browser would: without headers that tell what the request is for, which `fetch` adds by itself. */
  const open = async (address: URL | string, headers: Record<string, string> = {}, method: Method = 'GET') => {
    const response = await request(new URL(address, patchbay.url), {
      method,
      headers: { accept: 'text/html', ...headers },
    })
    const fields = Object.entries(response.headers).flatMap(([name, values]) =>
      [values ?? []].flat().map((value): [string, string] => [name, value]),
    )
    return { status: response.statusCode, headers: new Headers(fields), text: await response.body.text() }
  }
  const state = async () => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body.state
  const begin = async (body: object = {}) => stopAtCallback(patchbay, await askForLink(patchbay, id, { body }))
  const changed = (url: URL, change: (search: URLSearchParams) => void) => {
    const copy = new URL(url)
    change(copy.searchParams)
    return copy
  }
  /** A page without what is different each time. */
  const essence = ({ text }: Page) => text.replaceAll(/nonce="[^"]+"/g, '').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '')

  /** An attempt at the callback that must lead to the one page that says nothing, store nothing and ask nobody. */
  async function expectUnusable(send: () => Promise<Page>): Promise<Page> {
    const asked = upstream.tokenRequests.length
    const answer = await expectNothingStored(patchbay.databaseUrl, send)
    expect(answer.status).to.equal(400)
    expect(answer.text).to.include('<title>Authorization Failed')
    const plain = await open(`${path}?code=x&state=unknown`, { cookie: `pb_browser=${'x'.repeat(43)}` })
    expect(essence(answer), 'the same page as for an unknown state').to.equal(essence(plain))
    expect(upstream.tokenRequests.length, 'token requests').to.equal(asked)
    expect(await state()).to.equal('auth_required')
    return answer
  }

  describe(`GET ${path}`, () => {
    it('negative control: connects with the right state in the right browser', async () => {
      const { callback, cookie } = await begin()
      const answer = await open(callback, { cookie })
      expect([answer.status, await state()]).to.deep.equal([200, 'connected'])
    })

    const malformed: readonly (readonly [title: string, change: (search: URLSearchParams) => void])[] = [
      ['unknown', (search) => search.set('state', 'x'.repeat(43))],
      ['missing', (search) => search.delete('state')],
      ['empty', (search) => search.set('state', '')],
      ['given twice', (search) => search.append('state', search.get('state') ?? '')],
      ['an object', (search) => rename(search, 'state', 'state[not]')],
      ['too long', (search) => search.set('state', `${search.get('state')}${'x'.repeat(256)}`)],
      ['NUL', (search) => search.set('state', '\u0000')],
    ]
    for (const [title, change] of malformed) {
      // @guards src/connections/receive-callback.ts:soleParameter
      it(`CB-01: refuses a state that is ${title}`, async () => {
        const { callback, cookie } = await begin()
        await expectUnusable(() => open(changed(callback, change), { cookie }))
      })
    }

    const odd: readonly (readonly [title: string, change: (search: URLSearchParams) => void])[] = [
      ['code and error both', (search) => search.set('error', 'access_denied')],
      ['neither code nor error', (search) => search.delete('code')],
      ['an empty code', (search) => search.set('code', '')],
      ['two codes', (search) => search.append('code', 'other')],
      ['a code over 4 KB', (search) => search.set('code', 'c'.repeat(4097))],
      ['a code with a line break', (search) => search.set('code', 'a\r\nb')],
      ['iss twice', (search) => search.append('iss', 'https://evil.example')],
    ]
    for (const [title, change] of odd) {
      // @guards src/connections/receive-callback.ts:isWellFormed
      it(`CB-08: refuses ${title}, before anybody is asked`, async () => {
        const { callback, cookie } = await begin()
        await expectUnusable(() => open(changed(callback, change), { cookie }))
      })
    }

    // @guards src/storage/flow-stores.ts:consume
    it('CB-02: refuses a state that was used', async () => {
      const { callback, cookie } = await begin()
      await open(callback, { cookie })
      const asked = upstream.tokenRequests.length
      const again = await expectNothingStored(patchbay.databaseUrl, () => open(callback, { cookie }))
      expect([again.status, upstream.tokenRequests.length]).to.deep.equal([400, asked])
      expect(again.text).to.include('<title>Authorization Failed')
      expect(await state(), 'the connection that it made stays').to.equal('connected')
    })

    it('CB-02: refuses a state that was used by an error', async () => {
      authorize = () => ({ error: 'access_denied' })
      const { callback, cookie } = await begin()
      expect((await open(callback, { cookie })).text).to.include('<code>authorization_denied</code>')
      const replay = changed(callback, (search) => rename(search, 'error', 'code', upstream.newCode()))
      await expectUnusable(() => open(replay, { cookie }))
    })

    it('CB-02: refuses a state that is older than ten minutes, and takes one that is younger', async () => {
      const [old, young] = [await begin(), await begin()]
      clock.advance(10 * minute - 5000)
      expect((await open(young.callback, { cookie: young.cookie })).status).to.equal(200)
      await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`)
      const late = await begin()
      clock.advance(10 * minute + 1000)
      await expectUnusable(() => open(late.callback, { cookie: late.cookie }))
      await expectUnusable(() => open(old.callback, { cookie: old.cookie }))
    })

    // @guards src/storage/flow-stores.ts:consume
    it('CB-03: refuses another browser, which uses nothing up', async () => {
      const { callback, cookie } = await begin()
      const other = await begin()
      for (const stranger of ['', other.cookie, `pb_browser=${'y'.repeat(43)}`, 'pb_browser=']) {
        await expectUnusable(() => open(callback, { cookie: stranger }))
      }
      expect((await open(callback, { cookie })).status).to.equal(200)
      expect(await state()).to.equal('connected')
    })

    const previews: readonly (readonly [title: string, method: Method, headers: Record<string, string>])[] = [
      ['HEAD', 'HEAD', {}],
      ['a prefetch', 'GET', { 'sec-purpose': 'prefetch' }],
      ['a prerender', 'GET', { 'sec-purpose': 'prefetch;prerender' }],
      ['an older prefetch', 'GET', { purpose: 'prefetch' }],
      ['an image', 'GET', { 'sec-fetch-mode': 'no-cors' }],
      ['a fetch by a script', 'GET', { 'sec-fetch-mode': 'cors' }],
    ]
    for (const [title, method, headers] of previews) {
      // @guards src/http/routes/connect-pages.ts:isNavigation
      it(`CB-09: ${title} uses nothing up`, async () => {
        const { callback, cookie } = await begin()
        const asked = upstream.tokenRequests.length
        const preview = await expectNothingStored(patchbay.databaseUrl, () =>
          open(callback, { cookie, ...headers }, method),
        )
        expect([preview.status, upstream.tokenRequests.length]).to.deep.equal([400, asked])
        expect((await open(callback, { cookie, 'sec-fetch-mode': 'navigate' })).status).to.equal(200)
        expect(await state()).to.equal('connected')
      })
    }

    // @guards src/upstream/token-endpoint.ts:callbackFailure
    it('RD-05: shows our own words, whatever the error_description holds', async () => {
      authorize = () => ({ error: 'access_denied', error_description: script, error_uri: 'https://evil.example' })
      const { callback, cookie } = await begin()
      const answer = await open(callback, { cookie })
      expect(answer.text).to.include('<title>Authorization Failed')
      expect(answer.text).to.not.match(/<script|evil\.example|alert\(1\)/)
      expect(answer.headers.get('content-security-policy')).to.match(/^default-src 'none'/)
      expect(answer.headers.get('cache-control')).to.equal('no-store')
      expect(answer.headers.get('referrer-policy')).to.equal('no-referrer')
    })

    it('RD-05: shows an unknown state nothing of what it sent', async () => {
      const answer = await open(`${path}?state=${script}&error=${script}&error_description=${script}`)
      expect(answer.status).to.equal(400)
      expect(answer.text).to.not.match(/<script|alert\(1\)/)
    })

    // @guards src/http/representations.ts:mcp_url
    it('RD-07: never goes by Host, Referer or X-Forwarded-*', async () => {
      const evil = {
        referer: 'https://evil.example/',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        forwarded: 'host=evil.example',
        'x-original-url': 'https://evil.example/',
      }
      const link = await askForLink(patchbay, id)
      const connector = await patchbay.request('GET', `/api/v1/connectors/${id}`, { headers: evil })
      expect(connector.body.mcp_url).to.equal(`${patchbay.url}/connectors/${id}/mcp`)
      expect(connector.body.auth_request.authorization_endpoint).to.equal(link)
      const pressed = await open(link, evil, 'POST')
      const target = new URL(/content="0;url=([^"]+)"/.exec(pressed.text)?.[1]?.replaceAll('&amp;', '&') ?? '')
      expect(target.searchParams.get('redirect_uri')).to.equal(patchbay.url + path)
      for (const text of [connector.text, pressed.text, JSON.stringify([...pressed.headers])]) {
        expect(text).to.not.include('evil.example')
      }
    })
  })

  describe('GET /connect/{ticket}', () => {
    for (const [title, method, headers] of [
      ['GET', 'GET', {}],
      ['HEAD', 'HEAD', {}],
      ['a prefetch', 'GET', { 'sec-purpose': 'prefetch' }],
    ] as const) {
      it(`CB-09: ${title} changes nothing and sets no cookie`, async () => {
        const link = await askForLink(patchbay, id)
        for (let times = 0; times < 3; times++) {
          const answer = await expectNothingStored(patchbay.databaseUrl, () => open(link, headers, method))
          expect(answer.status).to.equal(200)
          expect(answer.headers.getSetCookie()).to.deep.equal([])
        }
      })
    }

    // @guards src/http/browser-cookie.ts:ensure
    it('CB-04: sets the cookie when Continue is pressed, for this browser and no script', async () => {
      const pressed = await open(await askForLink(patchbay, id), { 'sec-fetch-site': 'same-origin' }, 'POST')
      expect(pressed.status).to.equal(200)
      const [cookie, ...others] = pressed.headers.getSetCookie()
      expect(others).to.deep.equal([])
      expect(cookie).to.match(/^pb_browser=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
    })

    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
    ]) {
      it(`refuses a press from elsewhere (${JSON.stringify(headers)})`, async () => {
        const link = await askForLink(patchbay, id)
        const answer = await expectNothingStored(patchbay.databaseUrl, () => open(link, headers, 'POST'))
        expect(answer.status).to.equal(403)
      })
    }

    it('answers alike for an unknown, an expired, a superseded and a malformed link', async () => {
      const superseded = await askForLink(patchbay, id)
      await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`)
      const expired = await askForLink(patchbay, id)
      clock.advance(24 * 60 * minute + 1000)
      const links = ['x'.repeat(43), 'x', '%00', '%F0%9F%92%A9'].map((ticket) => `/connect/${ticket}`)
      const pages = new Set<string>()
      for (const link of [superseded, expired, ...links]) {
        for (const method of ['GET', 'POST'] as const) {
          const answer = await expectNothingStored(patchbay.databaseUrl, () => open(link, {}, method))
          expect(answer.status, link).to.equal(404)
          pages.add(essence(answer))
        }
      }
      expect(pages.size).to.equal(1)
    })

    it('a repeated connect gives the same link, another redirect_url another', async () => {
      const first = await askForLink(patchbay, id)
      expect(await askForLink(patchbay, id)).to.equal(first)
      const body = { redirect_url: `${patchbay.url}/done` }
      expect(await askForLink(patchbay, id, { body })).to.not.equal(first)
    })

    // @guards src/connections/connection-secrets.ts:openVerifier
    it('CB-05: two tabs each have an attempt of their own, and the older one completes', async () => {
      const link = await askForLink(patchbay, id)
      const [older, newer] = [await stopAtCallback(patchbay, link), await stopAtCallback(patchbay, link)]
      expect(older.callback.searchParams.get('state')).to.not.equal(newer.callback.searchParams.get('state'))
      expect((await open(older.callback, { cookie: older.cookie })).status).to.equal(200)
      const late = await open(newer.callback, { cookie: newer.cookie })
      expect(late.text).to.include('<code>link_expired</code>')
      expect(await state()).to.equal('connected')
    })

    it('CB-06: stores nothing when the connector was deleted meanwhile', async () => {
      const { callback, cookie } = await begin()
      await patchbay.request('DELETE', `/api/v1/connectors/${id}`)
      const asked = upstream.tokenRequests.length
      const answer = await expectNothingStored(patchbay.databaseUrl, () => open(callback, { cookie }))
      expect([answer.status, upstream.tokenRequests.length]).to.deep.equal([400, asked])
    })

    it('tells a browser of a broken form action nothing: the press answers 200 and forwards', async () => {
      const browser = createBrowser({ stopAt: [`${patchbay.url}${path}`] })
      await browser.open(await askForLink(patchbay, id))
      expect((await browser.submit()).url).to.match(/code=/)
    })
  })
})

function rename(search: URLSearchParams, from: string, to: string, value = search.get(from) ?? ''): void {
  search.delete(from)
  search.set(to, value)
}
