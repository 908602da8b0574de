import { expect } from 'chai'
import { createGate } from '../../support/gate.ts'
import {
  type Answer,
  closeInBody,
  closeSocket,
  hang,
  hangAfterHeaders,
  respond,
  respondHtml,
  respondInPieces,
  respondJson,
  type ScriptedUpstream,
  sendRaw,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { type Caller, createCaller, type StartedEndpoint, startEndpoint } from './start-endpoint.ts'

const json = { 'content-type': 'application/json' }
const result = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} })
/** A whole answer with its length, as servers send it whose framework knows the body. */
const whole = (body: string, headers: Record<string, string> = json): Answer =>
  respond(200, body, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
const rawHead = (...lines: string[]): string =>
  ['HTTP/1.1 200 OK', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')

describe('MCP endpoint, what comes back', () => {
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller

  before(async () => {
    upstream = await startScriptedUpstream()
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      limits: { answerTimeoutMs: 900, keepAliveMs: 300, stallMs: 300 },
    })
    caller = createCaller(started)
  })
  after(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  const callWith = (answer: Answer, method = 'POST') => {
    upstream.script(() => answer)
    return caller.call({ method })
  }
  const expectFailure = (answer: Awaited<ReturnType<typeof callWith>>, status: number): void => {
    expect(answer.status).to.equal(status)
    expect(answer.headers['content-type']).to.equal('application/problem+json')
    expect(JSON.parse(answer.body)).not.to.have.any.keys('error', 'jsonrpc')
  }

  it('G4: passes status, content type and body byte for byte', async () => {
    const odd = ` {"jsonrpc":"2.0",\n"id":1, "result":{"ü":"\\u2028","a":1,"a":2}}\n`
    const answer = await callWith(whole(odd, { 'content-type': 'application/json;charset=UTF-8' }))
    expect(answer).to.include({ status: 200, body: odd })
    expect(answer.headers['content-type']).to.equal('application/json;charset=UTF-8')
    expect(answer.headers['content-length']).to.equal(String(Buffer.byteLength(odd)))
  })

  // @guards src/proxy/response-headers.ts:readResponseHead
  it('PX-03: drops every header that is not on the list', async () => {
    const hostile = {
      'set-cookie': 'a=b',
      'www-authenticate': 'Bearer realm="evil"',
      'access-control-allow-origin': '*',
      'access-control-allow-credentials': 'true',
      location: 'https://evil.example',
      refresh: '0; url=https://evil.example',
      'clear-site-data': '"*"',
      'strict-transport-security': 'max-age=1',
      'alt-svc': 'h2="evil.example:443"',
      link: '<https://evil.example>; rel=preload',
      server: 'evil',
      via: 'evil',
      'content-security-policy': "script-src 'unsafe-inline'",
      'service-worker-allowed': '/',
      'cache-control': 'public, max-age=99999',
      'x-accel-redirect': '/etc/passwd',
      'x-request-id': 'theirs',
      'x-anything': 'x',
      'proxy-authenticate': 'Basic',
    }
    const answer = await callWith(whole(result, { ...json, ...hostile, 'retry-after': '5' }))
    expect(Object.keys(answer.headers)).to.have.members([
      ...['content-type', 'content-length', 'retry-after', 'cache-control', 'x-content-type-options', 'x-request-id'],
      ...['date', 'connection', 'keep-alive'],
    ])
    expect(answer.headers).to.include({
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
    })
    expect(answer.headers['x-request-id']).not.to.equal('theirs')
  })

  it('PX-03: on an event stream too, where buffering is switched off', async () => {
    const answer = await callWith(
      respond(200, 'data: x\n\n', {
        'content-type': 'text/event-stream',
        'x-accel-buffering': 'yes',
        link: 'x',
        'content-length': '9',
      }),
    )
    expect(answer.body).to.equal('data: x\n\n')
    expect(Object.keys(answer.headers)).to.have.members([
      ...[
        'content-type',
        'content-length',
        'cache-control',
        'x-content-type-options',
        'x-request-id',
        'x-accel-buffering',
      ],
      ...['date', 'connection', 'keep-alive'],
    ])
    expect(answer.headers['x-accel-buffering']).to.equal('no')
  })

  it('sends a stream that is over with its head in one piece, with its length; any other in chunks', async () => {
    const events = { 'content-type': 'text/event-stream' }
    const atOnce = await callWith(respond(200, 'data: 1\n\ndata: ü\n\n', events))
    expect(atOnce).to.include({ status: 200, body: 'data: 1\n\ndata: ü\n\n' })
    expect(atOnce.headers).to.include({ 'content-length': '19' }).and.not.to.have.property('transfer-encoding')

    const gate = createGate()
    upstream.script(() => (response) => {
      response.writeHead(200, events).write('data: 1\n\n')
      void gate.pass().then(() => response.end('data: ü\n\n'))
    })
    const { headers, body } = await caller.open()
    expect(headers).to.include({ 'transfer-encoding': 'chunked' }).and.not.to.have.property('content-length')
    gate.open()
    expect(await body.text()).to.equal('data: 1\n\ndata: ü\n\n')
  })

  it('PX-09: passes the events that came before a stream broke, though all came at once; then shows that it broke', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
    upstream.script(() => sendRaw(`${head}9\r\ndata: 1\n\n\r\nno length\r\n`))
    const { statusCode, body } = await caller.open()
    expect(statusCode).to.equal(200)
    const chunks: string[] = []
    const broken = await body.forEach((chunk) => void chunks.push(String(chunk))).catch((error: unknown) => error)
    expect(broken).to.be.an('error')
    expect(chunks.join('')).to.equal('data: 1\n\n')
    // with nothing to pass on it is an error that says so
    expectFailure(await callWith(sendRaw(`${head}no length\r\n`)), 502)
  })

  describe('when the upstream answers with an error', () => {
    for (const status of [400, 402, 403, 404, 405, 406, 409, 410, 415, 418, 421, 429, 500, 501, 502, 503, 504, 599]) {
      it(`passes ${status} with its JSON body byte for byte`, async () => {
        const body = `{"jsonrpc":"2.0", "id":null,"error":{"code":-32022,"data":{"supported":["2026-07-28"]}}}`
        const answer = await callWith(
          respond(status, body, { ...json, allow: 'POST', 'www-authenticate': 'Bearer realm="evil"' }),
        )
        expect(answer).to.include({ status, body })
        expect(answer.headers.allow).to.equal('POST')
        expect(answer.headers).not.to.have.property('www-authenticate')
      })
    }

    it('PX-06: passes 404 as HTML without the HTML', async () => {
      const answer = await callWith(respondHtml('<script>alert(1)</script>', 404))
      expect(answer).to.include({ status: 404, body: '' })
      expect(answer.headers).not.to.have.property('content-type')
    })

    it('PX-06: passes a short text, and none over 64 KB', async () => {
      const text = { 'content-type': 'text/plain' }
      expect(await callWith(respond(404, 'x'.repeat(65_536), text))).to.include({
        status: 404,
        body: 'x'.repeat(65_536),
      })
      expect(await callWith(respond(404, 'x'.repeat(65_537), text))).to.include({ status: 404, body: '' })
      const endless: Answer = (response) => {
        const more = () => response.write('x'.repeat(10_000)) && setImmediate(more)
        response.writeHead(500, text).on('drain', more)
        more()
      }
      expect(await callWith(endless)).to.include({ status: 500, body: '' })
    })
  })

  describe('when the answer is not one of MCP', () => {
    const cases: readonly (readonly [string, Answer])[] = [
      // @guards src/proxy/answer-plan.ts:planAnswer
      ['PX-05: a redirect', respond(302, '', { location: 'https://evil.example' })],
      ['PX-05: a redirect that asks for the body again', respond(307, '', { location: 'https://evil.example' })],
      ['PX-05: not modified', respond(304)],
      // @guards src/proxy/answer-plan.ts:planAnswer
      ['PX-06: HTML', respondHtml('<script>alert(1)</script>')],
      ['PX-06: text', respond(200, 'ok', { 'content-type': 'text/plain' })],
      ['PX-06: an image', respond(200, 'GIF89a', { 'content-type': 'image/gif' })],
      ['PX-06: a body without a type', respond(200, result)],
      ['PX-06: chunks without a type', respondInPieces(['x'], {})],
      // @guards src/proxy/answer-plan.ts:planAnswer
      ['PX-07: gzip though we asked for identity', respond(200, 'x', { ...json, 'content-encoding': 'gzip' })],
      ['PX-07: gzip inside the chunks', sendRaw(`${rawHead('Transfer-Encoding: gzip, chunked')}1\r\nx\r\n0\r\n\r\n`)],
      // @guards src/egress/http1/answer-head.ts:parseAnswerHead
      ['PX-08: two Content-Length', sendRaw(`${rawHead('Content-Length: 2', 'Content-Length: 2')}{}`)],
      ['PX-08: two different Content-Length', sendRaw(`${rawHead('Content-Length: 2', 'Content-Length: 3')}{}`)],
      [
        'PX-08: Content-Length beside chunks',
        sendRaw(`${rawHead('Content-Length: 2', 'Transfer-Encoding: chunked')}2\r\n{}\r\n0\r\n\r\n`),
      ],
      ['PX-08: a bad chunk length', sendRaw(`${rawHead('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`)],
      ['PX-08: a bare line feed', sendRaw(`HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 2\n\n{}`)],
      ['PX-08: a folded header', sendRaw(`${rawHead('X-A: 1\r\n folded', 'Content-Length: 2')}{}`)],
      ['PX-08: NUL in a header', sendRaw(`${rawHead('Mcp-Session-Id: a\0b', 'Content-Length: 2')}{}`)],
      ['PX-08: no HTTP', sendRaw('{"jsonrpc":"2.0"}')],
      ['PX-08: HTTP/0.9', sendRaw('<html>')],
      ['PX-08: 101', sendRaw('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')],
      ['PX-08: 100 without being asked', sendRaw(`HTTP/1.1 100 Continue\r\n\r\n${rawHead('Content-Length: 2')}{}`)],
      [
        'PX-08: a flood of 1xx',
        sendRaw(`${'HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n'.repeat(17)}${rawHead('Content-Length: 2')}{}`),
      ],
      ['PX-08: headers over 16 KB', respond(200, result, { ...json, 'x-long': 'x'.repeat(17_000) })],
      ['PX-08: a status that is none', sendRaw(rawHead('Content-Length: 0').replace('200', '777'))],
      ['PX-08: two content types', sendRaw(`${rawHead('Content-Type: text/html', 'Content-Length: 2')}{}`)],
      ['PX-08: a session id with a space', respond(200, result, { ...json, 'mcp-session-id': 'a b' })],
      ['PX-08: a session id with Latin-1 letters', respond(200, result, { ...json, 'mcp-session-id': '\u00fc' })],
      ['PX-09: a short answer cut short', closeInBody('{"jsonrpc"')],
      [
        'PX-09: an error cut short',
        sendRaw('HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{}'),
      ],
      ['the connection closed without an answer', closeSocket()],
    ]
    for (const [title, answer] of cases) {
      it(`${title}: 502`, async () => expectFailure(await callWith(answer), 502))
    }

    it('control: the same raw answer without a flaw passes', async () => {
      expect(await callWith(sendRaw(`${rawHead('Content-Length: 2')}{}`))).to.include({ status: 200, body: '{}' })
      const hints = 'HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n'.repeat(3)
      expect(await callWith(sendRaw(`${hints}${rawHead('Content-Length: 2')}{}`))).to.include({
        status: 200,
        body: '{}',
      })
    })

    it('PX-08: 1xx answers without end do not keep the call: 504 in time', async () => {
      upstream.script(() => async (response) => {
        while (!response.destroyed && response.socket?.writable) {
          response.socket.write('HTTP/1.1 102 Processing\r\n\r\n')
          await new Promise((resolve) => setTimeout(resolve, 150))
        }
      })
      const startedAt = performance.now()
      expect((await caller.call()).status).to.be.oneOf([502, 504])
      expect(performance.now() - startedAt).to.be.below(4000)
    })

    it('SS-10: none of what the upstream said is told', async () => {
      for (const answer of [
        respondHtml('secret-text'),
        respond(302, '', { location: 'https://secret-text.example' }),
      ]) {
        expect((await callWith(answer)).body).not.to.include('secret-text')
      }
    })
  })

  it('answers 504 where no answer comes in time', async () => {
    expectFailure(await callWith(hang()), 504)
  })

  it('answers 504 where a short answer comes to a halt', async () => {
    expectFailure(await callWith(hangAfterHeaders({ ...json, 'content-length': '10' })), 504)
  })

  it('answers 504 where nobody listens', async () => {
    const other = await startEndpoint({ upstreamUrl: 'http://127.0.0.1:1/mcp' })
    const otherCaller = createCaller(other)
    expectFailure(await otherCaller.call(), 504)
    await otherCaller.close()
    await other.close()
  })

  it('SS-10: answers a forbidden address as if nobody listened', async () => {
    const other = await startEndpoint({ upstreamUrl: 'http://169.254.169.254/mcp' })
    const otherCaller = createCaller(other)
    const answer = await otherCaller.call()
    expectFailure(answer, 504)
    expect(JSON.parse(answer.body)).to.include({ code: 'upstream_unreachable' })
    await otherCaller.close()
    await other.close()
  })

  describe('when there is nothing to say', () => {
    it('passes 202 without a body, and drops a word that stands there', async () => {
      for (const answer of [
        respond(202),
        respond(202, 'Accepted'),
        respond(202, 'Accepted', { 'content-type': 'text/plain' }),
      ]) {
        expect(await callWith(answer)).to.include({ status: 202, body: '' })
      }
    })

    it('passes 200 and 204 without a body', async () => {
      expect(await callWith(respond(200), 'DELETE')).to.include({ status: 200, body: '' })
      expect(await callWith(respond(200))).to.include({ status: 200, body: '' })
      const noContent = await callWith(respond(204), 'DELETE')
      expect(noContent.status).to.equal(204)
      expect(noContent.headers).not.to.have.property('content-length')
    })
  })

  it('PX-20: trailers are dropped', async () => {
    const raw = `${rawHead('Transfer-Encoding: chunked', 'Trailer: Set-Cookie')}2\r\n{}\r\n0\r\nSet-Cookie: a=b\r\n\r\n`
    const { headers, body } = await callWith(sendRaw(raw))
    expect(body).to.equal('{}')
    expect(JSON.stringify(headers)).not.to.include('a=b')
  })

  it('PX-20: a second answer behind the first reaches nobody', async () => {
    const second = rawHead('Content-Length: 8').replace('OK', 'EVIL')
    expect(await callWith(sendRaw(`${rawHead('Content-Length: 2')}{}${second}{"evil"}`))).to.include({ body: '{}' })
    const answer = await callWith(respondJson({ good: true }))
    expect(answer.body).to.equal('{"good":true}')
  })

  // @guards src/proxy/relay.ts:onFailure
  it('PX-09: a long answer cut short destroys the connection, and never ends as if complete', async () => {
    upstream.script(() => closeInBody(`{"x":"${'x'.repeat(100_000)}`))
    const { statusCode, body } = await caller.open()
    expect(statusCode).to.equal(200)
    const failure = await body.text().catch((error: Error) => error)
    expect(failure).to.be.instanceOf(Error)
  })

  it('passes a long answer of declared length with that length, and byte for byte', async () => {
    const long = JSON.stringify({ text: 'äöü'.repeat(100_000) })
    const answer = await callWith(whole(long))
    expect(answer.body).to.equal(long)
    expect(answer.headers['content-length']).to.equal(String(Buffer.byteLength(long)))
  })
})
