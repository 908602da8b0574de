import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal, type Refusal } from '../support/problem.ts'
import { expectNothingStored } from '../support/table-counts.ts'

const connectors = '/api/v1/connectors'
const upstreamUrl = 'https://mcp.example.com/mcp'

describe('bad input: urls and fields', () => {
  let patchbay: Patchbay

  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const refused = (send: () => Promise<Answer>, refusal: Refusal) => expectRefusal(patchbay, send, refusal)
  const post = (body: unknown, headers?: Record<string, string>) => () =>
    patchbay.request('POST', connectors, { body, ...(headers === undefined ? {} : { headers }) })

  it('negative control: good input is stored', async () => {
    const failure = await expectNothingStored(patchbay.databaseUrl, post({ url: 'https://good.example/mcp' })).catch(
      (error: unknown) => error,
    )
    expect(String(failure)).to.include('rows')
  })

  describe('when the url is bad', () => {
    const urls: readonly (readonly [title: string, url: string])[] = [
      ['not http(s): ftp', 'ftp://mcp.example.com/'],
      ['not http(s): javascript', 'javascript:alert(1)'],
      ['not http(s): file', 'file:///etc/passwd'],
      ['not http(s): websocket', 'wss://mcp.example.com/'],
      ['relative', '/mcp'],
      ['without a scheme', 'mcp.example.com'],
      ['without a host', 'https:///mcp'],
      ['without slashes', 'https:mcp.example.com'],
      ['empty', ''],
      ['with a user name', 'https://user@mcp.example.com/'],
      ['with user name and password', 'https://user:pass@mcp.example.com/'],
      ['with an empty user name', 'https://@mcp.example.com/'],
      ['with a fragment', 'https://mcp.example.com/#top'],
      ['with an empty fragment', 'https://mcp.example.com/#'],
      ['with a tab', 'https://mcp.example\t.com/'],
      ['with a line feed', 'https://mcp.example.com/\nx'],
      ['with a leading space', ' https://mcp.example.com/'],
      ['with DEL', 'https://mcp.example.com/\u007f'],
      ['with a C1 control character', 'https://mcp.example.com/\u0085'],
      ['with a backslash', 'https://mcp.example.com\\@evil.example/'],
      ['over 2 KB', `https://mcp.example.com/${'a'.repeat(2048)}`],
      ['over 2 KB once serialised', `https://mcp.example.com/${'ü'.repeat(600)}`],
      ['with a port that is none', 'https://mcp.example.com:99999/'],
    ]
    for (const [title, url] of urls) {
      // @guards src/kernel/resource-url.ts:parseResourceUrl
      it(`AP-07: refuses one ${title}`, async () => {
        await refused(post({ url }), { code: 'url_invalid', paths: ['url'] })
      })
    }

    it('AP-07: refuses one with NUL', () =>
      refused(post({ url: 'https://mcp.example.com/\u0000' }), { code: 'invalid_json' }))

    const forbidden: readonly (readonly [title: string, url: string])[] = [
      ['a private IPv4 address', 'https://10.0.0.1/mcp'],
      ['the address of a cloud’s credentials', 'http://169.254.169.254/latest/meta-data'],
      ['a private IPv6 address', 'https://[fd00::1]/mcp'],
      ['an IPv4 address inside an IPv6 one', 'https://[::ffff:10.0.0.1]/mcp'],
      ['a private address in numbers', 'https://167772161/mcp'],
      ['a private address in hexadecimal', 'https://0xa000001/mcp'],
      ['an internal name', 'https://metadata.google.internal/'],
      ['plain http to a public host', 'http://mcp.example.com/mcp'],
      ['a port that is not on the list', 'https://mcp.example.com:22/'],
    ]
    for (const [title, url] of forbidden) {
      it(`AP-07: refuses ${title}`, async () => {
        await refused(post({ url }), { code: 'url_not_allowed', paths: ['url'] })
      })
    }

    it('AP-07: refuses our own address', () =>
      refused(post({ url: `${patchbay.url}/mcp` }), { code: 'url_not_allowed', paths: ['url'] }))

    it('AP-07: stores an international name as punycode, once', async () => {
      const { status, body } = await patchbay.request('POST', connectors, {
        body: { url: 'HTTPS://BÜCHER.example:443/a' },
      })
      expect([status, body.url]).to.deep.equal([201, 'https://xn--bcher-kva.example/a'])
      await refused(post({ url: 'https://bücher.example/a' }), { status: 409, code: 'connector_exists' })
    })
  })

  describe('when private addresses are not on EGRESS_ALLOW', () => {
    let strict: Patchbay
    before(async () => {
      strict = await startPatchbay({ env: { EGRESS_ALLOW: '127.0.0.9:9' } })
    })
    after(() => strict.close())

    for (const url of [
      'http://127.0.0.1:9/mcp',
      'http://localhost:9/mcp',
      'http://[::1]:9/mcp',
      'http://127.1:9/mcp',
    ]) {
      it(`refuses ${url}`, async () => {
        const send = () => strict.request('POST', connectors, { body: { url } })
        await expectRefusal(strict, send, { code: 'url_not_allowed', paths: ['url'] })
      })
    }

    it('takes the one that is', async () => {
      const { status } = await strict.request('POST', connectors, { body: { url: 'http://127.0.0.9:9/mcp' } })
      expect(status).to.equal(201)
    })
  })

  describe('when fields are wrong', () => {
    it('refuses a client_secret without client_id', () =>
      refused(post({ url: upstreamUrl, client_secret: 's' }), { code: 'client_id_missing', paths: ['client_id'] }))

    for (const field of [
      'state',
      'owner_id',
      'owner_kind',
      'tenant_id',
      'disconnect_reason',
      'created_by',
      'id',
      'preset_id',
      'enabled',
      'auth_request',
      'sealed_client_secret',
      'surprise',
    ]) {
      // @guards src/http/schemas.ts:createConnectorBody
      it(`AP-01: refuses the unknown field ${field}`, () =>
        refused(post({ url: upstreamUrl, [field]: 'x' }), { code: 'invalid_request', paths: [field] }))
    }

    const wrong: readonly (readonly [title: string, body: unknown, path: string])[] = [
      ['AP-01: no url', {}, 'url'],
      ['AP-01: a number as url', { url: 1 }, 'url'],
      // @guards src/http/schemas.ts:createConnectorBody
      ['AP-06: an operator as url', { url: { contains: '' } }, 'url'],
      ['AP-06: a list as url', { url: [upstreamUrl] }, 'url'],
      ['AP-01: an unknown field inside auth', { url: upstreamUrl, auth: { type: 'none', token: 'x' } }, 'auth.token'],
      ['AP-01: an unknown kind of auth', { url: upstreamUrl, auth: { type: 'magic' } }, 'auth.type'],
      ['AP-01: an unknown credential_scope', { url: upstreamUrl, credential_scope: 'world' }, 'credential_scope'],
      ['AP-01: an unknown transport', { url: upstreamUrl, transport: 'pigeon' }, 'transport'],
      ['AP-01: a scope with a space', { url: upstreamUrl, scopes: ['a b'] }, 'scopes.0'],
      ['AP-01: text as match_preset', { url: upstreamUrl, match_preset: 'yes' }, 'match_preset'],
      ['AP-01: a label that is too long', { url: upstreamUrl, label: 'x'.repeat(65) }, 'label'],
      // @guards src/http/schemas.ts:metadataSchema
      ['AP-08: 17 keys of metadata', { url: upstreamUrl, metadata: manyKeys(17) }, 'metadata'],
      [
        'AP-08: a key of 65 characters',
        { url: upstreamUrl, metadata: { ['k'.repeat(65)]: 'x' } },
        `metadata.${'k'.repeat(65)}`,
      ],
      ['AP-08: an empty key', { url: upstreamUrl, metadata: { '': 'x' } }, 'metadata.'],
      ['AP-08: a value of 513 characters', { url: upstreamUrl, metadata: { a: 'x'.repeat(513) } }, 'metadata.a'],
      ['AP-08: a value that is no text', { url: upstreamUrl, metadata: { a: 1 } }, 'metadata.a'],
      ['AP-08: a value that is null', { url: upstreamUrl, metadata: { a: null } }, 'metadata.a'],
      ['AP-08: a list as metadata', { url: upstreamUrl, metadata: ['a'] }, 'metadata'],
      [
        'AP-03: constructor.prototype',
        { url: upstreamUrl, metadata: { constructor: { prototype: { x: 1 } } } },
        'metadata.constructor',
      ],
    ]
    for (const [title, body, path] of wrong) {
      it(title, () => refused(post(body), { code: 'invalid_request', paths: [path] }))
    }

    it('names all that is wrong at once', () =>
      refused(post({ url: 1, label: 2, x: 3 }), { code: 'invalid_request', paths: ['url', 'label', 'x'] }))

    it('AP-08: takes 16 keys of 64 characters with values of 512', async () => {
      const metadata = Object.fromEntries(
        Array.from({ length: 16 }, (_, index) => [String(index).padStart(64, 'k'), 'v'.repeat(512)]),
      )
      const { status, body } = await patchbay.request('POST', connectors, {
        body: { url: 'https://meta.example', metadata },
      })
      expect([status, body.metadata]).to.deep.equal([201, metadata])
    })

    for (const field of ['url', 'state', 'id'] as const) {
      it(`AP-01: refuses ${field} in a PATCH that may not set it so`, async () => {
        const id = await createConnector(patchbay, `https://patch.example/${field}`)
        const patch = () => patchbay.request('PATCH', `${connectors}/${id}`, { body: { [field]: null } })
        await refused(patch, { code: 'invalid_request', paths: [field] })
      })
    }
  })

  describe('when the redirect_url or another field of a connect is bad', () => {
    let id: string
    before(async () => {
      id = await createConnector(patchbay, 'https://connect.example/mcp')
    })
    const connect = (body: unknown) => () => patchbay.request('POST', `${connectors}/${id}/connect`, { body })

    it('RD-01: refuses a redirect_url that is not on the list', () =>
      refused(connect({ redirect_url: 'https://evil.example/' }), {
        code: 'redirect_url_not_allowed',
        paths: ['redirect_url'],
      }))

    it('AP-01: refuses unknown fields', () =>
      refused(connect({ state: 'connected' }), { code: 'invalid_request', paths: ['state'] }))

    it('refuses an empty access_token', () =>
      refused(connect({ access_token: '' }), { code: 'invalid_request', paths: ['access_token'] }))

    it('refuses to disconnect what was never connected', () =>
      refused(() => patchbay.request('POST', `${connectors}/${id}/disconnect`), { code: 'not_connected' }))

    it('refuses a body where none is expected', () =>
      refused(() => patchbay.request('POST', `${connectors}/${id}/disconnect`, { body: { force: true } }), {
        code: 'invalid_request',
        paths: [''],
      }))
  })
})

function manyKeys(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, 'x']))
}
