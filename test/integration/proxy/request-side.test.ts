import { expect } from 'chai'
import { AppError } from '../../../src/kernel/app-error.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { respondJson, type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import {
  bearer,
  type Caller,
  connectorId,
  createCaller,
  keys,
  type StartedEndpoint,
  sendBytes,
  startEndpoint,
  targetOf,
  usable,
} from './start-endpoint.ts'

const megabyte = 1024 * 1024

describe('MCP endpoint, what goes upstream', () => {
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller
  const last = () => upstream.received.at(-1)

  before(async () => {
    upstream = await startScriptedUpstream(() => respondJson({ jsonrpc: '2.0', id: 1, result: {} }))
    const headers = { authorization: new Secret('Bearer upstream-token'), 'x-tenant': new Secret('of-the-connector') }
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => usable(targetOf(`${upstream.url}?fixed=1`, { headers })),
      allowedOrigins: ['https://inspector.example'],
    })
    caller = createCaller(started)
  })
  after(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  describe('when the caller sends canaries', () => {
    const canary = 'canary-3f1c9a'
    const planted = [
      ...['cookie', 'proxy-authorization', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded'],
      ...[
        'x-real-ip',
        'x-api-key',
        'referer',
        'x-tenant',
        'x-anything',
        'user-agent',
        'accept-language',
        'from',
        'via',
      ],
    ]

    it('PX-01, PX-02: no planted value reaches the upstream, in any header, path or body', async () => {
      const headers = Object.fromEntries(planted.map((name) => [name, `${canary}-${name}`]))
      const origin = 'https://inspector.example'
      const answer = await caller.call({
        headers: { ...headers, origin },
        path: `${new URL(started.url).pathname}?q=${canary}`,
      })
      expect(answer.status).to.equal(200)
      const sent = JSON.stringify(last())
      expect(sent).not.to.include(canary)
      expect(sent).not.to.include(keys.alice)
      expect(sent).not.to.include(origin)
      expect(last()?.headers).to.deep.include({
        authorization: 'Bearer upstream-token',
        'x-tenant': 'of-the-connector',
      })
    })

    it('control: a planted value in a header that passes does reach it', async () => {
      await caller.call({ headers: { 'mcp-param-x': canary } })
      expect(JSON.stringify(last())).to.include(canary)
    })
  })

  it('PX-01: the upstream sees exactly these headers', async () => {
    await caller.call({
      headers: { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'ping', 'Mcp-Unheard-Of': 'x' },
    })
    expect(last()?.rawHeaders.filter((_, index) => index % 2 === 0)).to.have.members([
      ...['host', 'connection', 'accept', 'content-type', 'MCP-Protocol-Version', 'Mcp-Method', 'Mcp-Unheard-Of'],
      ...['user-agent', 'accept-encoding', 'authorization', 'x-tenant', 'content-length'],
    ])
    expect(last()?.headers).to.include({ 'accept-encoding': 'identity', 'user-agent': 'patchbay' })
  })

  it('G4: neither adds nor rewrites MCP-Protocol-Version', async () => {
    await caller.call()
    expect(last()?.headers).not.to.have.property('mcp-protocol-version')
  })

  it('sends the body byte for byte, whatever it is', async () => {
    const body = '{"jsonrpc":"2.0",  "id":1e2,\n"method":"ping","method":"twice","params":{"ü":"\\u2028"}} '
    await caller.call({ body })
    expect(last()?.body).to.equal(body)
  })

  // @guards src/proxy/upstream-request.ts:toUpstreamRequest
  it('PX-15: asks for the stored URL and nothing of the caller’s path or query', async () => {
    await caller.call({ path: `/connectors/${connectorId}/mcp?fixed=2&x=/../y` })
    expect(last()?.target).to.equal('/mcp?fixed=1')
    await caller.call({ path: `/api/v1/connectors/${connectorId}/mcp` })
    expect(last()?.target).to.equal('/mcp?fixed=1')
  })

  for (const method of ['GET', 'DELETE'] as const) {
    it(`PX-12: passes ${method}, with Last-Event-ID`, async () => {
      await caller.call({ method, headers: { 'last-event-id': 'e-7' } })
      expect(last()).to.include({ method, body: '' })
      expect(last()?.headers).to.include({ 'last-event-id': 'e-7' })
    })
  }

  // @guards src/proxy/mcp-endpoint.ts:methods
  it('PX-12: answers other methods 405 with Allow, and asks nobody', async () => {
    const before = upstream.received.length
    for (const method of ['PUT', 'PATCH', 'HEAD']) {
      const answer = await caller.call({ method })
      expect(answer.status, method).to.equal(405)
      expect(answer.headers.allow).to.equal('POST, GET, DELETE, OPTIONS')
    }
    expect(upstream.received.length).to.equal(before)
  })

  describe('when credentials are missing or wrong', () => {
    const metadata = () =>
      `resource_metadata="${started.origin}/.well-known/oauth-protected-resource/connectors/${connectorId}/mcp"`

    // @guards src/proxy/challenge.ts:challengeHeaders
    it('TK-06: no credentials or another scheme: 401 and a bare challenge without an error', async () => {
      for (const authorization of ['', 'Digest username="x"']) {
        const answer = await caller.call({ headers: { authorization } })
        expect(answer.status, authorization).to.equal(401)
        expect(answer.headers['www-authenticate']).to.equal(`Bearer scope="mcp", ${metadata()}`)
      }
    })

    it('TK-06: wrong or malformed ones: error="invalid_token"', async () => {
      for (const authorization of ['Bearer wrong', 'bearer two words', 'Bearer', 'Basic eDp5']) {
        const answer = await caller.call({ headers: { authorization } })
        expect(answer.status, authorization).to.equal(401)
        expect(answer.headers['www-authenticate'], authorization).to.equal(
          `Bearer error="invalid_token", scope="mcp", ${metadata()}`,
        )
      }
    })

    // @guards src/http/show-browser.ts:createShowBrowser
    it('TK-06: a browser gets the same, and a page that says what the address is for', async () => {
      const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
      const answer = await caller.call({ method: 'GET', headers: { authorization: '', accept }, body: '' })
      expect(answer.status).to.equal(401)
      expect(answer.headers).to.include({
        'www-authenticate': `Bearer scope="mcp", ${metadata()}`,
        'content-type': 'text/html; charset=utf-8',
        'x-frame-options': 'DENY',
      })
      expect(answer.headers['content-security-policy']).to.include("default-src 'none'")
      expect(answer.body).to.include(`<code>${started.url}</code>`)
      const stranger = await caller.call({
        method: 'GET',
        headers: { authorization: 'Bearer wrong', accept },
        body: '',
      })
      expect([stranger.status, stranger.headers['content-type']]).to.deep.equal([401, 'application/problem+json'])
    })

    it('names the metadata of the alias at the alias', async () => {
      const answer = await caller.call({
        headers: { authorization: '' },
        path: `/api/v1/connectors/${connectorId}/mcp?x=1`,
      })
      expect(answer.headers['www-authenticate']).to.equal(
        `Bearer scope="mcp", resource_metadata="${started.origin}/.well-known/oauth-protected-resource/api/v1/connectors/${connectorId}/mcp"`,
      )
    })

    it('answers problem+json that cannot be taken for JSON-RPC', async () => {
      const answer = await caller.call({ headers: { authorization: '' } })
      expect(answer.headers).to.include({
        'content-type': 'application/problem+json',
        'x-content-type-options': 'nosniff',
      })
      const problem = JSON.parse(answer.body)
      expect(problem).to.include({ status: 401, code: 'unauthenticated', request_id: answer.headers['x-request-id'] })
      expect(problem).not.to.have.any.keys('error', 'jsonrpc')
    })

    it('TK-07: tokens in the query, in a form body or in a cookie are ignored', async () => {
      const answer = await caller.call({
        headers: {
          authorization: '',
          cookie: `access_token=${keys.alice}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        path: `/connectors/${connectorId}/mcp?access_token=${keys.alice}`,
        body: `access_token=${keys.alice}`,
      })
      expect(answer.status).to.equal(401)
    })

    // @guards src/proxy/request-headers.ts:readRequestHead
    it('TK-07: two Authorization headers are answered 400', async () => {
      const twice = `Authorization: Bearer ${keys.alice}\r\nAuthorization: Bearer ${keys.bob}\r\n`
      const path = new URL(started.url).pathname
      const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${started.port}\r\nConnection: close\r\nContent-Length: 0\r\n`
      expect(await sendBytes(started.port, `${head}${twice}\r\n`)).to.match(/^HTTP\/1.1 400 /)
      expect(await sendBytes(started.port, `${head}Authorization: Bearer ${keys.alice}\r\n\r\n`)).to.match(
        /^HTTP\/1.1 200 /,
      )
    })

    // @guards src/access/authenticate.ts:readCredential
    it('TK-08: a token over 8 KB is answered 400', async () => {
      expect((await caller.call({ headers: { authorization: `Bearer ${'x'.repeat(8200)}` } })).status).to.equal(400)
    })

    it('R10: nothing of it reaches the upstream', async () => {
      const before = upstream.received.length
      await caller.call({ headers: { authorization: 'Bearer wrong' } })
      expect(upstream.received.length).to.equal(before)
      await caller.call()
      expect(upstream.received.length, 'control').to.equal(before + 1)
    })
  })

  describe('when a browser page calls', () => {
    // @guards src/proxy/cors.ts:createOriginPolicy
    it('AP-11: an origin that is not allowed is answered 403, before credentials are looked at', async () => {
      for (const origin of [
        'https://evil.example',
        'null',
        'https://inspector.example.evil',
        'http://inspector.example',
      ]) {
        const answer = await caller.call({ headers: { origin, authorization: '' } })
        expect(answer.status, origin).to.equal(403)
        expect(answer.headers).not.to.have.property('access-control-allow-origin')
      }
    })

    it('lets allowed origins and our own read the answer and the headers that they need, without cookies', async () => {
      for (const origin of ['https://inspector.example', started.origin]) {
        const answer = await caller.call({ headers: { origin } })
        expect(answer.status).to.equal(200)
        expect(answer.headers).to.include({ 'access-control-allow-origin': origin, vary: 'origin' })
        expect(answer.headers['access-control-expose-headers'])
          .to.include('Mcp-Session-Id')
          .and.to.include('WWW-Authenticate')
        expect(answer.headers).not.to.have.property('access-control-allow-credentials')
      }
    })

    it('lets them read the challenge of a 401 too', async () => {
      const answer = await caller.call({ headers: { origin: 'https://inspector.example', authorization: '' } })
      expect(answer.status).to.equal(401)
      expect(answer.headers).to.include({ 'access-control-allow-origin': 'https://inspector.example' })
    })

    it('answers a preflight without credentials, allowing Mcp-* headers by name', async () => {
      const answer = await caller.call({
        method: 'OPTIONS',
        headers: {
          authorization: '',
          origin: 'https://inspector.example',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,mcp-param-region,x-evil',
        },
      })
      expect(answer.status).to.equal(204)
      expect(answer.headers['access-control-allow-methods']).to.equal('POST, GET, DELETE')
      const allowed = String(answer.headers['access-control-allow-headers']).split(', ')
      expect(allowed).to.include.members(['authorization', 'content-type', 'mcp-session-id', 'mcp-param-region'])
      expect(allowed).not.to.include('x-evil')
    })
  })

  describe('when the body is long', () => {
    it('PX-16: passes 4 MB', async () => {
      const body = 'x'.repeat(4 * megabyte)
      expect((await caller.call({ body })).status).to.equal(200)
      expect(last()?.body.length).to.equal(body.length)
    })

    it('PX-16: answers 413 beyond, whether the length is declared or not, and asks nobody', async () => {
      const before = upstream.received.length
      expect((await caller.call({ body: 'x'.repeat(4 * megabyte + 1) })).status).to.equal(413)
      const chunk = `100000\r\n${'x'.repeat(megabyte)}\r\n`
      const head = `POST ${new URL(started.url).pathname} HTTP/1.1\r\nHost: 127.0.0.1:${started.port}\r\n`
      const bytes = `${head}Authorization: Bearer ${keys.alice}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`
      expect(await sendBytes(started.port, bytes, (text) => text.includes('}'))).to.match(/^HTTP\/1.1 413 /)
      expect(upstream.received.length).to.equal(before)
    })

    it('ends a connection that sends on and on after the 413', async () => {
      const head = `POST ${new URL(started.url).pathname} HTTP/1.1\r\nHost: 127.0.0.1:${started.port}\r\n`
      const bytes = `${head}Authorization: Bearer ${keys.alice}\r\nContent-Length: 99999999\r\n\r\n${'x'.repeat(24 * megabyte)}`
      const answer = await sendBytes(started.port, bytes).catch((error: Error) => error.message)
      expect(answer).to.match(/^HTTP\/1.1 413 |ECONNRESET|EPIPE/)
    })
  })

  it('refuses a session id or content type that stands twice', async () => {
    const head = `POST ${new URL(started.url).pathname} HTTP/1.1\r\nHost: 127.0.0.1:${started.port}\r\nConnection: close\r\n`
    const auth = `Authorization: ${bearer('alice').authorization}\r\nContent-Length: 0\r\n`
    const twice = 'Mcp-Session-Id: a\r\nMcp-Session-Id: b\r\n'
    expect(await sendBytes(started.port, `${head}${auth}${twice}\r\n`)).to.match(/^HTTP\/1.1 400 /)
  })
})

describe('MCP endpoint, when the caller may not', () => {
  const failures = [
    ['not_found', 404],
    ['forbidden', 403],
    ['connector_disabled', 403],
    ['storage_unavailable', 503],
    ['refresh_in_progress', 503],
  ] as const

  for (const [code, status] of failures) {
    it(`answers ${code} with ${status} and without asking the upstream`, async () => {
      const upstream = await startScriptedUpstream()
      const started = await startEndpoint({
        upstreamUrl: upstream.url,
        resolve: async () =>
          Promise.reject(new AppError(code, 'test', { meta: { requiredScope: 'connectors:proxy' } })),
      })
      const caller = createCaller(started)
      const answer = await caller.call()
      expect(answer.status).to.equal(status)
      expect(JSON.parse(answer.body)).to.include({ code, status })
      expect('retry-after' in answer.headers).to.equal(status === 503)
      expect(upstream.received).to.deep.equal([])
      if (code === 'forbidden') {
        expect(answer.headers['www-authenticate'], 'TK-06').to.match(
          /^Bearer error="insufficient_scope", scope="connectors:proxy", resource_metadata="/,
        )
      } else expect(answer.headers).not.to.have.property('www-authenticate')
      await caller.close()
      await started.close()
      await upstream.close()
    })
  }

  it('AP-10: a mistake of ours is a 500 without a word of it', async () => {
    const started = await startEndpoint({
      upstreamUrl: 'http://127.0.0.1:1/mcp',
      resolve: async () => Promise.reject(new TypeError('secret-in-message')),
    })
    const caller = createCaller(started)
    const answer = await caller.call()
    expect(answer.status).to.equal(500)
    expect(answer.body).not.to.include('secret-in-message')
    expect(started.log.some(({ level }) => level === 50)).to.equal(true)
    await caller.close()
    await started.close()
  })
})
