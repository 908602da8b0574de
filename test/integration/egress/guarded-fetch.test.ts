import { type AddressInfo, createServer, type Server } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import type { Dispatcher } from 'undici'
import { type AddressPolicy, createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { mayHaveBeenSent } from '../../../src/egress/egress-failure.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedFetch, type GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { type AppError, isAppError } from '../../../src/kernel/app-error.ts'
import { until } from '../../support/until.ts'
import { startCanaries, startServer, startTlsServer, type TestServer } from './canary.ts'
import { certificate } from './tls-fixture.ts'

const loopback = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })

async function failureOf(response: Promise<Response>): Promise<AppError> {
  try {
    await response
  } catch (error) {
    if (isAppError(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('createGuardedFetch', () => {
  const dispatchers: Dispatcher[] = []
  const servers: { close(): Promise<void> }[] = []
  const open = (policy: AddressPolicy = loopback): GuardedFetch => {
    const dispatcher = createGuardedDispatcher({
      policy,
      ca: certificate,
      lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    })
    dispatchers.push(dispatcher)
    return createGuardedFetch({ policy, dispatcher })
  }
  const serve = async (handler: Parameters<typeof startServer>[0]): Promise<TestServer> => {
    const server = await startServer(handler)
    servers.push(server)
    return server
  }
  const listenRaw = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    servers.push({ close: () => new Promise((resolve) => server.close(() => resolve())) })
    return (server.address() as AddressInfo).port
  }

  afterEach(async () => {
    await Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.destroy()))
    await Promise.all(servers.splice(0).map((server) => server.close()))
  })

  it('answers as fetch does: status, headers, body', async () => {
    const server = await serve((request, response) => {
      request.pipe(response.writeHead(201, { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] }))
    })
    const response = await open()(`${server.origin}/echo?x=1`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'b c' }),
    })
    expect(response).to.be.instanceOf(Response)
    expect(response.status).to.equal(201)
    expect(response.url).to.equal(`${server.origin}/echo?x=1`)
    expect(response.headers.getSetCookie()).to.deep.equal(['a=1', 'b=2'])
    expect(await response.text()).to.equal('a=b+c')
    expect(server.requests[0]?.headers).to.include({
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
      'accept-encoding': 'identity',
    })
  })

  it('gives 204 and HEAD no body', async () => {
    const server = await serve((_, response) => response.writeHead(204).end())
    expect((await open()(server.origin)).body).to.equal(null)
    expect((await open()(server.origin, { method: 'HEAD' })).body).to.equal(null)
  })

  it('SS-02: sends nothing where the policy says no', async () => {
    const canary = await startCanaries(['127.0.0.1'])
    const fetch = open(createAddressPolicy({ allow: [], allowLoopback: false, ports: [canary.port] }))
    for (const url of [`http://mcp.example:${canary.port}`, `https://127.0.0.1:${canary.port}`, 'file:///etc/passwd']) {
      expect((await failureOf(fetch(url))).code, url).to.equal('egress_blocked')
    }
    expect((await failureOf(fetch(`https://rebound.example:${canary.port}`))).code).to.equal('egress_blocked')
    expect(canary.connections()).to.equal(0)
    await failureOf(open()(`https://127.0.0.1:${canary.port}`))
    expect(canary.connections(), 'negative control').to.equal(1)
    await canary.close()
  })

  describe('when the answer is a redirect', () => {
    it('SS-07: refuses it, and the second server hears nothing', async () => {
      const second = await serve((_, response) => response.end())
      const first = await serve((_, response) => response.writeHead(307, { location: second.origin }).end())
      const request = {
        method: 'POST',
        body: 'code=secret',
        headers: { 'mcp-session-id': 's', authorization: 'Bearer t' },
      }
      const error = await failureOf(open()(first.origin, { ...request, maxRedirects: 3 }))
      expect(error.code).to.equal('upstream_protocol_error')
      expect((await failureOf(open()(first.origin))).meta).to.include({ reason: 'redirect' })
      expect(second.requests.length).to.equal(0)

      await fetch(first.origin, request)
      expect(second.requests[0]?.headers, 'what global fetch does').to.include({ 'mcp-session-id': 's' })
    })

    // @guards src/egress/guarded-fetch.ts:followTo
    it('SS-07: follows as many as permitted for GET, and tells another origin no secrets', async () => {
      const last = await serve((_, response) => response.end('metadata'))
      const hops = await serve((request, response) => {
        const n = Number(request.url?.slice(1))
        response.writeHead(302, { location: n === 2 ? `${last.origin}/end` : `/${n + 1}` }).end()
      })
      const headers = { authorization: 'Bearer t', accept: 'application/json', 'x-api-key': 'k' }
      const response = await open()(`${hops.origin}/0`, { maxRedirects: 3, headers })
      expect(await response.text()).to.equal('metadata')
      expect(response.url).to.equal(`${last.origin}/end`)
      expect(hops.requests.every((request) => request.headers.authorization === 'Bearer t')).to.equal(true)
      expect(last.requests[0]?.headers).to.have.property('accept', 'application/json')
      expect(last.requests[0]?.headers).not.to.have.any.keys('authorization', 'x-api-key')
      expect((await failureOf(open()(`${hops.origin}/0`, { maxRedirects: 2 }))).meta).to.include({ reason: 'redirect' })
    })

    it('SS-07: checks each hop', async () => {
      const canary = await startCanaries(['127.0.0.2'])
      servers.push(canary)
      const server = await serve((_, response) =>
        response.writeHead(302, { location: `http://127.0.0.2:${canary.port}/` }).end(),
      )
      const fetch = open(
        createAddressPolicy({ allow: [`127.0.0.1:${server.port}`], allowLoopback: false, ports: [canary.port] }),
      )
      expect((await failureOf(fetch(server.origin, { maxRedirects: 3 }))).code).to.equal('egress_blocked')
      expect(canary.connections()).to.equal(0)
      await failureOf(open()(server.origin, { maxRedirects: 3 }))
      expect(canary.connections(), 'negative control').to.equal(1)
    })

    // @guards src/egress/guarded-fetch.ts:redirectTarget
    it('SS-07: never goes from https to http', async () => {
      const plain = await serve((_, response) => response.end())
      const secure = await startTlsServer((request, response) => {
        const location = request.url === '/down' ? plain.origin : '/end'
        if (request.url === '/end') response.end('reached')
        else response.writeHead(302, { location }).end()
      })
      servers.push(secure)
      const fetch = open(createAddressPolicy({ allow: [`pinned.test:${secure.port}`], allowLoopback: true, ports: [] }))
      const base = `https://pinned.test:${secure.port}`
      expect(await (await fetch(`${base}/same`, { maxRedirects: 1 })).text(), 'negative control').to.equal('reached')
      expect((await failureOf(fetch(`${base}/down`, { maxRedirects: 3 }))).meta).to.include({ reason: 'redirect' })
      expect(plain.requests.length).to.equal(0)
    })
  })

  describe('when the upstream is slow', () => {
    it('SS-08: ends a body that comes byte by byte at the total deadline', async () => {
      const server = await serve((_, response) => {
        const timer = setInterval(() => response.write('a'), 20)
        response.once('close', () => clearInterval(timer))
      })
      const error = await failureOf(open()(server.origin, { totalMs: 200 }))
      expect(error.code).to.equal('upstream_timeout')
      expect(error.meta).to.include({ reason: 'total', isRequestSent: true })
    })

    it('SS-08: ends headers that come byte by byte at the total deadline', async () => {
      const dripping = createServer((socket) => {
        const timer = setInterval(() => socket.write('H'), 20)
        socket.on('error', () => undefined).once('close', () => clearInterval(timer))
        socket.write('HTTP/1.1 200 OK\r\nX-Long: ')
      })
      const port = await listenRaw(dripping)
      expect((await failureOf(open()(`http://127.0.0.1:${port}`, { totalMs: 200 }))).code).to.equal('upstream_timeout')
    })

    it('SS-08: counts redirects into the total', async () => {
      const server = await serve((_, response) => {
        setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 80)
      })
      const error = await failureOf(open()(server.origin, { totalMs: 200, maxRedirects: 100 }))
      expect(error.code).to.equal('upstream_timeout')
    })

    it('SS-08: ends a name look-up that never answers, and knows that nothing was sent', async () => {
      const dispatcher = createGuardedDispatcher({ policy: loopback, lookup: () => new Promise(() => undefined) })
      dispatchers.push(dispatcher)
      const error = await failureOf(
        createGuardedFetch({ policy: loopback, dispatcher })('http://localhost:9/', { totalMs: 100 }),
      )
      expect(error.code).to.equal('upstream_timeout')
      expect(mayHaveBeenSent(error)).to.equal(false)
    })

    it('rejects with the reason of the caller who aborts', async () => {
      const server = await serve(() => controller.abort(new RangeError('enough')))
      const controller = new AbortController()
      const outcome = await open()(server.origin, { signal: controller.signal }).catch((error: unknown) => error)
      expect(outcome).to.be.instanceOf(RangeError)
    })
  })

  describe('when the body is too much', () => {
    // @guards src/egress/exchange.ts:startExchange
    it('SS-08: counts the bytes of a body without a length', async () => {
      const server = await serve((request, response) => {
        response.write('a'.repeat(600))
        response.end('b'.repeat(request.url === '/long' ? 600 : 400))
      })
      const fits = await open()(server.origin, { maxBytes: 1000 })
      expect((await fits.text()).length).to.equal(1000)
      expect((await failureOf(open()(`${server.origin}/long`, { maxBytes: 1000 }))).meta).to.include({
        reason: 'body_too_large',
      })
    })

    // @guards src/egress/exchange.ts:startExchange
    it('SS-08: never inflates: a coded body is refused', async () => {
      const bomb = gzipSync(Buffer.alloc(1024 * 1024))
      const server = await serve((_, response) => response.setHeader('content-encoding', 'gzip').end(bomb))
      expect((await failureOf(open()(server.origin))).meta).to.include({ reason: 'content_encoding' })
      const inflated = await (await fetch(server.origin)).arrayBuffer()
      expect(inflated.byteLength, 'what global fetch does').to.equal(1024 * 1024)
    })
  })

  describe('when the upstream speaks no proper HTTP', () => {
    const answers: Readonly<Record<string, string>> = {
      'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'no status': 'hello\r\n\r\n',
      'a status out of range': 'HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n',
    }
    for (const [name, answer] of Object.entries(answers)) {
      it(`calls it a protocol error: ${name}`, async () => {
        const server = createServer((socket) => {
          socket.on('error', () => undefined).once('data', () => socket.end(answer))
        })
        const port = await listenRaw(server)
        expect(await failureOf(open()(`http://127.0.0.1:${port}`)), name).to.include({
          code: 'upstream_protocol_error',
        })
      })
    }

    it('calls a socket that is closed without an answer unreachable, a body cut short a protocol error', async () => {
      const server = await serve((request, response) => {
        if (request.url === '/short') response.writeHead(200, { 'content-length': '10' }).write('abc')
        response.socket?.end()
      })
      const closed = await failureOf(open()(`${server.origin}/closed`))
      expect(closed.code).to.equal('upstream_unreachable')
      expect(mayHaveBeenSent(closed)).to.equal(true)
      expect((await failureOf(open()(`${server.origin}/short`))).code).to.equal('upstream_protocol_error')
    })

    it('calls a refused connection unreachable, and knows that nothing was sent', async () => {
      const canary = await startCanaries(['127.0.0.1'])
      await canary.close()
      const error = await failureOf(open()(`http://127.0.0.1:${canary.port}`))
      expect(error.code).to.equal('upstream_unreachable')
      expect(mayHaveBeenSent(error)).to.equal(false)
    })
  })

  // @guards src/egress/egress-failure.ts:toEgressError
  it('SS-10: tells callers nothing that the upstream or the resolver said', async () => {
    const server = await serve((_, response) =>
      response.writeHead(302, { location: '/secret-path' }).end('secret-body'),
    )
    const errors = [
      await failureOf(open()(server.origin)),
      await failureOf(open()('http://127.0.0.1:1/?key=secret')),
      await failureOf(
        open(createAddressPolicy({ allow: [], allowLoopback: false, ports: [443] }))('https://secret.test/'),
      ),
    ]
    for (const error of errors) {
      expect(error.publicDetail).to.equal(undefined)
      expect(error.message).not.to.contain('secret')
      expect(JSON.stringify({ ...error.meta, origin: '', host: '' })).not.to.contain('secret')
    }
  })

  describe('with stream', () => {
    it('hands the answer over at its headers and bounds its body all the same', async () => {
      const server = await serve((request, response) => {
        response.write('first')
        if (request.url === '/long') response.write('x'.repeat(2000))
      })
      const response = await open()(server.origin, { stream: true, totalMs: 300 })
      const reader = response.body?.getReader()
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).to.equal('first')
      const late = await reader?.read().catch((error: unknown) => error)
      expect(late).to.have.property('code', 'upstream_timeout')

      const long = await open()(`${server.origin}/long`, { stream: true, maxBytes: 1000 })
      expect(await long.text().catch((error: unknown) => error)).to.have.nested.property(
        'meta.reason',
        'body_too_large',
      )
    })

    it('closes the connection when the reader cancels', async () => {
      let isClosed: (value: unknown) => void = () => undefined
      const closed = new Promise((resolve) => {
        isClosed = resolve
      })
      const server = await serve((request, response) => {
        request.socket.once('close', isClosed)
        response.write('first')
      })
      const response = await open()(server.origin, { stream: true })
      await response.body?.cancel()
      await closed
    })

    it('takes no more from a fast upstream than its reader does', async () => {
      let sent = 0
      const server = await serve((_, response) => {
        const more = (): void => {
          while (sent < 50_000_000) {
            sent += 65_536
            if (!response.write(Buffer.alloc(65_536))) {
              response.once('drain', more)
              return
            }
          }
          response.end()
        }
        more()
      })
      const response = await open()(server.origin, { stream: true, maxBytes: 100_000_000 })
      const reader = response.body?.getReader()
      await reader?.read()
      // Polled until nothing has moved for half a second, or everything was sent.
      let before = -1
      let still = 0
      await until('the upstream to be held up', () => {
        still = before === sent ? still + 1 : 0
        before = sent
        return still === 50 || sent > 50_000_000
      })
      expect(sent).to.be.below(20_000_000)
      await reader?.cancel()
    })
  })
})
