import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createTestClock } from '../support/test-clock.ts'

const connectors = '/api/v1/connectors'

describe('rate limits', () => {
  let bay: Patchbay
  afterEach(() => bay.close())

  type Asking = { key?: string | null; headers?: Record<string, string>; path?: string }
  const ask = ({ path = connectors, ...options }: Asking = {}): Promise<Answer> => bay.request('GET', path, options)
  const statuses = async (count: number, asking: (index: number) => Asking): Promise<number[]> => {
    const all = []
    for (let index = 0; index < count; index += 1) all.push((await ask(asking(index))).status)
    return all
  }
  const forwarded = (value: string) => ({ headers: { 'x-forwarded-for': value } })
  const expectWait = ({ status, headers, body }: Answer) => {
    expect(status).to.equal(429)
    expect(Number(headers.get('retry-after'))).to.be.within(1, 60)
    expect(headers.get('content-type')).to.equal('application/problem+json')
    expect(body).to.include({ code: 'rate_limited', title: 'Too many requests' })
  }

  describe('of a principal (API_RATE_LIMIT)', () => {
    // @guards src/access/rate-limit.ts:createRateLimit
    it('AP-13: makes it wait, by whichever of its keys and from wherever it asks, and nobody else', async () => {
      bay = await startPatchbay({ env: { API_RATE_LIMIT: '1', TRUSTED_PROXIES: '1' } })
      const [one, two, other] = [
        await bay.createKey({ subject: 'alice' }),
        await bay.createKey({ subject: 'alice' }),
        await bay.createKey({ subject: 'bob' }),
      ]
      const before = await statuses(10, (index) => ({ key: index % 2 ? one : two, ...forwarded(`192.0.2.${index}`) }))
      expect(new Set(before)).to.deep.equal(new Set([200]))
      expectWait(await ask({ key: one }))
      expectWait(await ask({ key: two }))
      expect((await ask({ key: other })).status).to.equal(200)
    })
  })

  describe('of an address (ADDRESS_RATE_LIMIT)', () => {
    // @guards src/access/client-address.ts:clientAddress
    it('AP-13: goes by the entry that our own proxy made: what a client writes before it moves nothing', async () => {
      bay = await startPatchbay({ env: { ADDRESS_RATE_LIMIT: '1', TRUSTED_PROXIES: '1' } })
      const spoofed = await statuses(10, (index) => forwarded(`203.0.113.${index}, 198.51.100.7`))
      expect(new Set(spoofed)).to.deep.equal(new Set([200]))
      expectWait(await ask(forwarded('203.0.113.99, 198.51.100.7')))
      expectWait(await ask(forwarded('198.51.100.7')))
      expect((await ask(forwarded('198.51.100.7, 198.51.100.8'))).status, 'negative control').to.equal(200)
    })

    // @guards src/access/client-address.ts:clientAddress
    it('AP-13: reads no header at all where no proxy is trusted', async () => {
      bay = await startPatchbay({ env: { ADDRESS_RATE_LIMIT: '1' } })
      await statuses(10, (index) => forwarded(`198.51.100.${index}`))
      expectWait(await ask(forwarded('198.51.100.200')))
    })

    it('AP-13: counts before anybody is asked who they are, pages and OAuth as well, but no probe of a balancer', async () => {
      bay = await startPatchbay({ env: { ADDRESS_RATE_LIMIT: '1' } })
      await statuses(10, (index) => ({ key: null, path: index % 2 ? '/' : '/.well-known/oauth-authorization-server' }))
      expectWait(await ask())
      expect((await ask({ path: '/', headers: { accept: 'text/html' } })).text).to.include('Too many requests')
      expect(await statuses(20, () => ({ path: '/healthz' }))).to.deep.equal(Array(20).fill(200))
      expect((await ask({ path: '/readyz' })).status).to.equal(200)
    })
  })

  describe('of wrong keys from an address (WRONG_KEYS_PER_MINUTE)', () => {
    const wrongKey = (index: number) => `pbk_${String(index).padStart(43, 'x')}`

    // @guards src/access/wrong-keys.ts:createWrongKeys
    it('AP-13: makes the address wait, with a key that is right too, at the API and the MCP endpoints', async () => {
      const clock = createTestClock()
      bay = await startPatchbay({ clock, env: { WRONG_KEYS_PER_MINUTE: '3', TRUSTED_PROXIES: '1' } })
      const id = await createConnector(bay, 'https://mcp.example.com/mcp')
      const at = forwarded('198.51.100.7')
      const mcp = { path: `/connectors/${id}/mcp`, headers: { ...at.headers, accept: 'text/event-stream' } }
      expect(await statuses(2, (index) => ({ key: wrongKey(index), ...at }))).to.deep.equal([401, 401])
      expect(await statuses(2, (index) => ({ key: wrongKey(10 + index), ...mcp }))).to.deep.equal([401, 401])
      expectWait(await ask(at))
      const refused = await ask(mcp)
      expect(refused.status).to.equal(429)
      expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 60)
      expect((await ask(forwarded('198.51.100.8'))).status, 'another address').to.equal(200)
      clock.advance(61_000)
      expect((await ask(at)).status, 'a minute later').to.equal(200)
    })

    // @guards src/access/wrong-keys.ts:createWrongKeys
    it('AP-13: counts a key that is tried again and again once, and no request without one', async () => {
      bay = await startPatchbay({ env: { WRONG_KEYS_PER_MINUTE: '3' } })
      expect(new Set(await statuses(10, () => ({ key: wrongKey(1) })))).to.deep.equal(new Set([401]))
      expect(new Set(await statuses(10, () => ({ key: null })))).to.deep.equal(new Set([401]))
      expect((await ask()).status).to.equal(200)
    })
  })
})
