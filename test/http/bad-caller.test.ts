import { expect } from 'chai'
import { request as undiciRequest } from 'undici'
import { createConnector } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal, type Refusal } from '../support/problem.ts'
import { createTestClock } from '../support/test-clock.ts'

const hour = 3_600_000

const connectors = '/api/v1/connectors'
const upstreamUrl = 'https://mcp.example.com/mcp'

describe('bad input: ids, keys and addresses', () => {
  let patchbay: Patchbay
  const clock = createTestClock()
  before(async () => {
    patchbay = await startPatchbay({ clock })
  })
  after(() => patchbay.close())

  const refused = (send: () => Promise<Answer>, refusal: Refusal) => expectRefusal(patchbay, send, refusal)

  const get = (path: string) => () => patchbay.request('GET', `${connectors}${path}`)
  describe('when the id is bad', () => {
    const calls: readonly (readonly [method: string, suffix: string])[] = [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/connect'],
      ['POST', '/disconnect'],
      ['GET', '/events'],
    ]
    let foreign: string
    before(async () => {
      const key = await patchbay.createKey({ subject: 'root', role: 'admin', tenant: 'other' })
      foreign = await createConnector(patchbay, upstreamUrl, { key })
    })
    const call = (method: string, id: string, suffix: string) => () =>
      patchbay.request(method, `${connectors}/${id}${suffix}`, method === 'PATCH' ? { body: {} } : {})
    const without = ({ body: { request_id: _, ...rest } }: Answer) => rest

    for (const [method, suffix] of calls) {
      it(`${method} ${connectors}/{id}${suffix} answers alike for another tenant's, a missing one and no UUID`, async () => {
        const missing = await refused(call(method, '019b0000-0000-7000-8000-00000000dead', suffix), {
          status: 404,
          code: 'not_found',
        })
        for (const id of [foreign, foreign.toUpperCase(), 'abc', '1', `${foreign}x`, '%00', "'%20OR%201=1", '..%2f']) {
          const answer = await refused(call(method, id, suffix), { status: 404, code: 'not_found' })
          expect(without(answer), id).to.deep.equal(without(missing))
        }
      })
    }
  })

  describe('when the key is bad', () => {
    const withKey = (key: string | null) => () =>
      patchbay.request('POST', connectors, { key, body: { url: upstreamUrl } })
    const unauthenticated = async (send: () => Promise<Answer>) => {
      const answer = await refused(send, { status: 401, code: 'unauthenticated' })
      expect(answer.headers.get('www-authenticate')).to.match(/^Bearer /)
    }

    it('refuses no key', () => unauthenticated(withKey(null)))
    it('refuses a wrong key', () => unauthenticated(withKey(`pbk_${'x'.repeat(43)}`)))
    it('refuses something of another form', () => unauthenticated(withKey('x')))
    it('refuses a key in the query', () =>
      unauthenticated(() => patchbay.request('GET', `${connectors}?access_token=${patchbay.admin}`, { key: null })))

    it('refuses an expired key', async () => {
      const key = await patchbay.createKey({ subject: 'late', expiresAt: new Date(clock.now().getTime() + hour) })
      expect((await patchbay.request('GET', connectors, { key })).status, 'negative control').to.equal(200)
      clock.advance(hour + 1000)
      await unauthenticated(withKey(key))
    })

    it('refuses a key without the scope', async () => {
      const key = await patchbay.createKey({ subject: 'reader', scopes: ['connectors:read'] })
      const answer = await refused(withKey(key), { status: 403, code: 'forbidden' })
      expect(answer.body.detail).to.include('connectors:write')
    })

    it('AP-04: refuses two Authorization headers', async () => {
      const send = async () => {
        const { statusCode, headers, body } = await undiciRequest(patchbay.url + connectors, {
          headers: ['authorization', `Bearer ${patchbay.admin}`, 'authorization', 'Bearer x'],
        })
        const text = await body.text()
        const read = new Headers(
          Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
        )
        return { status: statusCode, headers: read, text, body: JSON.parse(text) }
      }
      await refused(send, { code: 'invalid_request' })
    })

    it('says nothing of the body to somebody without a key', async () => {
      const answer = await refused(() => patchbay.request('POST', connectors, { key: null, body: '{' }), {
        status: 401,
        code: 'unauthenticated',
      })
      expect(answer.text).to.not.include('JSON')
    })
  })

  describe('when the address is bad', () => {
    it('answers 404 where there is nothing', () => refused(get('/x/y/z'), { status: 404, code: 'not_found' }))

    it('answers 405 to a method that is not known there', async () => {
      const answer = await refused(() => patchbay.request('PUT', connectors, { body: {} }), {
        status: 405,
        code: 'method_not_allowed',
      })
      expect(answer.headers.get('allow')?.split(', ')).to.have.members(['HEAD', 'GET', 'POST'])
    })
  })
})
