import { expect } from 'chai'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal, type Refusal } from '../support/problem.ts'

const connectors = '/api/v1/connectors'
const upstreamUrl = 'https://mcp.example.com/mcp'

describe('bad input: bodies and queries', () => {
  let patchbay: Patchbay

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const refused = (send: () => Promise<Answer>, refusal: Refusal) => expectRefusal(patchbay, send, refusal)
  const post = (body: unknown, headers?: Record<string, string>) => () =>
    patchbay.request('POST', connectors, { body, ...(headers === undefined ? {} : { headers }) })
  const get = (path: string) => () => patchbay.request('GET', `${connectors}${path}`)
  describe('when the body is no JSON that we take', () => {
    const good = JSON.stringify({ url: upstreamUrl })
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/json', '']) {
      // @guards src/http/json-body.ts:readJsonBody
      it(`AP-02: refuses the content type "${type}"`, () =>
        refused(post(good, { 'content-type': type }), { status: 415, code: 'unsupported_media_type' }))
    }

    it('AP-02: refuses a compressed body', () =>
      refused(post(good, { 'content-encoding': 'gzip' }), { status: 415, code: 'unsupported_media_type' }))

    // @guards src/http/json-body.ts:readBytes
    it('AP-02: refuses a body over 256 KB', () =>
      refused(post({ url: upstreamUrl, label: 'x'.repeat(256 * 1024) }), { status: 413, code: 'payload_too_large' }))

    it('AP-02: refuses one whose length is not said beforehand', async () => {
      const pieces = function* () {
        for (let index = 0; index < 40; index++) yield Buffer.alloc(8 * 1024, 'x')
      }
      const send = async () => {
        const response = await fetch(patchbay.url + connectors, {
          method: 'POST',
          headers: { authorization: `Bearer ${patchbay.admin}`, 'content-type': 'application/json' },
          body: ReadableStream.from(pieces()),
          duplex: 'half',
        } as RequestInit)
        const text = await response.text()
        return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
      }
      await refused(send, { status: 413, code: 'payload_too_large' })
    })

    const bodies: readonly (readonly [title: string, body: string | Uint8Array])[] = [
      ['invalid JSON', '{"url":'],
      ['two documents', `${good}${good}`],
      ['nothing but a space', ' '],
      ['a byte order mark', `\ufeff${good}`],
      [
        'invalid UTF-8',
        Buffer.concat([Buffer.from('{"url":"https://a.example/'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
      ],
      ['UTF-16', Buffer.from(good, 'utf16le')],
      ['a lone surrogate', '{"url":"https://a.example/","label":"\\ud800"}'],
      ['NUL in a string', '{"url":"https://a.example/","label":"a\\u0000b"}'],
      ['NUL in a key', '{"url":"https://a.example/","metadata":{"a\\u0000b":"x"}}'],
      ['a deep nest of lists', `{"url":${'['.repeat(5000)}${']'.repeat(5000)}}`],
      ['a deep nest of objects', `${'{"metadata":'.repeat(500)}1${'}'.repeat(500)}`],
    ]
    for (const [title, body] of bodies) {
      // @guards src/http/json-body.ts:checkValue
      it(`AP-02: refuses ${title}`, () => refused(post(body), { code: 'invalid_json' }))
    }

    it('AP-02: refuses a long list quickly', async () => {
      await refused(post(`[${'0,'.repeat(120_000)}0]`), { code: 'invalid_request', paths: [''] })
    })

    for (const body of ['null', '1', '"x"', '[]', 'true']) {
      it(`AP-01: refuses ${body} as a whole body`, () => refused(post(body), { code: 'invalid_request', paths: [''] }))
    }

    // @guards src/http/json-body.ts:checkValue
    it('AP-03: refuses __proto__ at any depth, and nothing is polluted', async () => {
      for (const body of [
        `{"url":"${upstreamUrl}","__proto__":{"enabled":false}}`,
        `{"url":"${upstreamUrl}","metadata":{"__proto__":{"polluted":"yes"}}}`,
      ]) {
        await refused(post(body), { code: 'invalid_json' })
      }
      expect({}).to.not.have.property('polluted')
    })

    it('AP-03: keeps the names of an object’s own machinery as plain data', async () => {
      const metadata = { constructor: 'a', prototype: 'b', toString: 'c', hasOwnProperty: 'd' }
      const { body } = await patchbay.request('POST', connectors, { body: { url: 'https://names.example', metadata } })
      expect(body.metadata).to.deep.equal(metadata)
    })
  })

  describe('when the query is bad', () => {
    const queries: readonly (readonly [title: string, query: string, path: string])[] = [
      // @guards src/http/api-router.ts:parseQuery
      ['AP-04: a parameter twice', '?limit=1&limit=2', 'limit'],
      ['AP-01: an unknown parameter', '?sort=url', 'sort'],
      ['AP-01: __proto__', '?__proto__=x', '__proto__'],
      ['AP-06: an operator', '?id[not]=x', 'id[not]'],
      ['AP-06: an operator on a known name', '?state[not]=connected', 'state[not]'],
      ['AP-05: limit 0', '?limit=0', 'limit'],
      ['AP-05: limit 101', '?limit=101', 'limit'],
      ['AP-05: limit -1', '?limit=-1', 'limit'],
      ['AP-05: limit NaN', '?limit=NaN', 'limit'],
      ['AP-05: limit 1e9', '?limit=1e9', 'limit'],
      ['AP-05: limit 1.5', '?limit=1.5', 'limit'],
      ['AP-05: an unknown order', '?order=random', 'order'],
      ['AP-05: an order with more in it', '?order=desc;drop', 'order'],
      ['AP-01: an unknown state', '?state=paused', 'state'],
      ['AP-01: a page token of nobody', '?page_token=abc', 'page_token'],
      ['AP-02: NUL in a text to search for', '?q=a%00b', 'q'],
      ['AP-02: NUL in a url to search for', '?url=a%00b', 'url'],
      ['AP-02: NUL in a preset to search for', '?preset=a%00b', 'preset'],
    ]
    for (const [title, query, path] of queries) {
      it(title, () => refused(get(query), { code: 'invalid_request', paths: [path] }))
    }

    it('AP-01: knows no parameters where there are none', () =>
      refused(get('/presets?limit=1'), { code: 'invalid_request', paths: ['limit'] }))
  })
})
