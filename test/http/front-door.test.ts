import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Agent, request } from 'undici'
import { createFrontDoor, type FrontDoor, requestRecord, serverOptions } from '../../src/http/front-door.ts'
import { createLogger } from '../../src/log/logger.ts'
import { createMetrics, type Metrics } from '../../src/metrics/metrics.ts'
import { sendBytes } from '../integration/proxy/start-endpoint.ts'
import { until } from '../support/until.ts'

const id = '019b0000-0000-7000-8000-00000000000a'

describe('createFrontDoor', () => {
  let server: Server
  let door: FrontDoor
  let port: number
  let log: Record<string, unknown>[]
  let now: number
  let koa: (request: IncomingMessage, response: ServerResponse) => void
  let mcp: string[]
  let metrics: Metrics

  beforeEach(async () => {
    server = createServer(serverOptions)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
    log = []
    mcp = []
    metrics = createMetrics()
    now = 1_000
    koa = (_request, response) => response.end('koa')
    door = createFrontDoor({
      trustedProxies: 0,
      publicUrl: new URL(`http://localhost:${port}`),
      allowedHosts: ['Patchbay.Internal:8333'],
      mcpEndpoint: {
        handle: (_request, response, call) => {
          mcp.push(call.connectorId)
          call.principalId = 'principal-1'
          response.writeHead(200, ['x-request-id', call.requestId]).end(`mcp ${call.path}`)
        },
      },
      koaCallback: (request, response) => koa(request, response),
      metrics: metrics.http,
      callEnded: () => {},
      log: createLogger('info', { write: (line) => void log.push(JSON.parse(line)) }),
      now: () => now,
    })
    server.on('request', door.handle)
  })
  afterEach(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })

  const send = (requestLine: string, headers: readonly string[] = [], body = ''): Promise<string> => {
    const host = headers.some((line) => /^host:/i.test(line)) ? [] : [`Host: localhost:${port}`]
    const lines = [`${requestLine} HTTP/1.1`, ...host, 'Connection: close', ...headers, '', body]
    return sendBytes(port, lines.join('\r\n'))
  }
  const status = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
  const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4)

  describe('when it chooses who answers', () => {
    for (const path of [`/connectors/${id}/mcp`, `/api/v1/connectors/${id}/mcp`]) {
      it(`hands ${path} to the MCP endpoint, with any query`, async () => {
        expect(bodyOf(await send(`POST ${path}`))).to.include(`mcp ${path}`)
        expect(bodyOf(await send(`GET ${path}?a=1&b=/x`))).to.include(`mcp ${path}`)
        expect(mcp).to.deep.equal([id, id])
      })
    }

    it('PX-15: hands whatever only looks like one to Koa', async () => {
      const paths = [
        `/connectors/${id.toUpperCase()}/mcp`,
        `/connectors/${id}/mcp/`,
        `/connectors/${id}/mcp/x`,
        `/connectors/${id}/mcp;x`,
        `/connectors/${id}/mcp%00`,
        `/connectors/${id}/mcp%2f`,
        `/connectors/${id}%2fmcp`,
        `/connectors/${id}/../${id}/mcp`,
        `/connectors/..%2f${id}/mcp`,
        `/connectors/%252e%252e/${id}/mcp`,
        `/connectors/${id.slice(1)}/mcp`,
        `/connectors/${id}x/mcp`,
        '/connectors/not-a-uuid/mcp',
        `//connectors/${id}/mcp`,
        `/api/v2/connectors/${id}/mcp`,
        `/x/connectors/${id}/mcp`,
        '/',
        '/healthz',
      ]
      for (const path of paths) expect(bodyOf(await send(`POST ${path}`)), path).to.include('koa')
      expect(mcp).to.deep.equal([])
    })
  })

  describe('when a request is not well-formed or not for us', () => {
    const cases: readonly (readonly [string, string, readonly string[], string, number])[] = [
      ['two Host headers', 'GET /', ['Host: a', 'Host: b'], '', 400],
      ['two equal Host headers', 'GET /', ['Host: localhost', 'Host: localhost'], '', 400],
      ['an absolute request target', 'GET http://localhost/', [], '', 400],
      ['an absolute target that names another host', `GET http://evil.example/connectors/${id}/mcp`, [], '', 400],
      ['OPTIONS *', 'OPTIONS *', [], '', 400],
      ['a host that is not ours', 'GET /', ['Host: evil.example'], '', 421],
      ['our host on another port', 'GET /', ['Host: localhost:1'], '', 421],
      ['a host with a user name', 'GET /', ['Host: x@localhost'], '', 421],
      ['a GET with a body', 'GET /', ['Content-Length: 2'], '{}', 400],
      ['a HEAD with chunks', 'HEAD /', ['Transfer-Encoding: chunked'], '0\r\n\r\n', 400],
      ['TRACE', 'TRACE /', [], '', 405],
      ['a web socket', 'GET /', ['Connection: upgrade', 'Upgrade: websocket'], '', 400],
      ['CL and TE', 'POST /', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n', 400],
      ['two lengths', 'POST /', ['Content-Length: 2', 'Content-Length: 2'], '{}', 400],
      ['a space before the colon', 'POST /', ['Transfer-Encoding : chunked'], '0\r\n\r\n', 400],
      ['an unknown transfer coding', 'POST /', ['Transfer-Encoding: xchunked'], '0\r\n\r\n', 400],
      ['gzip below the chunks', 'POST /', ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n', 400],
      ['a bare line feed', 'POST /', ['X-A: 1\nX-B: 2'], '', 400],
    ]
    for (const [title, requestLine, headers, body, expected] of cases) {
      // @guards src/http/front-door.ts:refusalOf
      it(`PX-14: ${title}: ${expected}, and nobody else hears of it`, async () => {
        koa = () => expect.fail('Koa was asked')
        const answer = await send(requestLine, headers, body)
        expect(status(answer)).to.equal(expected)
        expect(mcp).to.deep.equal([])
      })
    }

    it('PX-14: applies to MCP paths too', async () => {
      expect(status(await send(`POST /connectors/${id}/mcp`, ['Host: evil.example']))).to.equal(421)
      expect(status(await send(`GET /connectors/${id}/mcp`, ['Content-Length: 2'], '{}'))).to.equal(400)
      expect(mcp).to.deep.equal([])
    })

    it('PX-12: closes on CONNECT', async () => {
      koa = () => expect.fail('Koa was asked')
      expect(await send('CONNECT localhost:80').catch((error: Error) => error.message)).to.match(/^$|ECONNRESET/)
    })

    it('answers problem+json and ends the connection', async () => {
      const answer = await sendBytes(port, `GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n`)
      expect(answer)
        .to.match(/content-type: application\/problem\+json/i)
        .and.to.match(/connection: close/i)
      expect(JSON.parse(bodyOf(answer))).to.include({ status: 421, code: 'host_not_allowed' })
    })

    it('takes what is in order: our host in any case, an extra host, h2c on offer, GET with length 0', async () => {
      for (const header of [
        `Host: LOCALHOST:${port}`,
        'Host: patchbay.internal:8333',
        'Upgrade: h2c',
        'Content-Length: 0',
      ]) {
        expect(status(await send('GET /', [header])), header).to.equal(200)
      }
    })
  })

  it('numbers each request by itself, whatever the caller sends', async () => {
    const answers = [
      await send('GET /', ['X-Request-Id: theirs']),
      await send(`POST /connectors/${id}/mcp`),
      await send('GET /'),
    ]
    const ids = answers.map((answer) => /x-request-id: (\S+)/i.exec(answer)?.[1])
    expect(new Set(ids).size).to.equal(3)
    expect(ids).not.to.include('theirs')
    await until('three lines', () => log.length === 3)
    expect(log.map(({ requestId }) => requestId)).to.have.members(ids)
  })

  describe('when it logs', () => {
    it('writes one line per request: method, path, status, time, who', async () => {
      koa = (request, response) => {
        requestRecord(request).principalId = 'principal-2'
        now += 42
        response.writeHead(418).end()
      }
      await send('POST /a?secret=1', ['Authorization: Bearer secret', 'Cookie: secret'])
      await send(`POST /connectors/${id}/mcp?secret`)
      await until('two lines', () => log.length === 2)
      expect(log[0]).to.include({
        msg: 'request',
        method: 'POST',
        path: '/a',
        status: 418,
        durationMs: 42,
        principalId: 'principal-2',
      })
      expect(log[1]).to.include({ path: `/connectors/${id}/mcp`, status: 200, principalId: 'principal-1' })
      expect(JSON.stringify(log)).not.to.include('secret')
    })

    it('CR-04: leaves out the secret of a connect link, and bounds the path', async () => {
      const ticket = 'T'.repeat(43)
      await send(`GET /connect/${ticket}`)
      await send(`GET /connect/${ticket}/continue`)
      await send(`GET /x//connect/%54${ticket.slice(1)}`)
      await send(`GET /${'a/'.repeat(4000)}`)
      await until('four lines', () => log.length === 4)
      expect(JSON.stringify(log)).not.to.include('TTTTTT')
      expect(log[0]).to.include({ path: '/connect/[redacted]' })
      expect(String(log[3]?.path).length).to.be.at.most(256)
    })

    it('says when a caller hung up before there was an answer', async () => {
      koa = (_request, response) => response.socket?.destroy()
      await send('GET /').catch(() => '')
      await until('the line', () => log.length === 1)
      expect(log[0]).to.include({ status: null, isCutShort: true })
    })
  })

  it('knows how many requests are being answered, and when there are none', async () => {
    await door.idle()
    const open: ServerResponse[] = []
    koa = (_request, response) => void open.push(response)
    const answers = [send('GET /'), send('GET /')]
    await until('two requests', () => open.length === 2)
    expect(door.inFlight()).to.equal(2)
    let isIdle = false
    const idle = door.idle().then(() => {
      isIdle = true
    })
    open[0]?.end()
    await until('one answer', () => door.inFlight() === 1)
    expect(isIdle).to.equal(false)
    open[1]?.socket?.destroy()
    await idle
    expect(door.inFlight()).to.equal(0)
    await Promise.allSettled(answers)
  })

  describe('when it retires', () => {
    let agent: Agent
    beforeEach(() => {
      agent = new Agent({ connections: 1 })
    })
    afterEach(() => agent.destroy())

    const ask = async () => {
      const headers = { host: `localhost:${port}` }
      const answer = await request(`http://127.0.0.1:${port}/`, { method: 'POST', dispatcher: agent, headers })
      await answer.body.dump()
      return `${answer.statusCode} ${answer.headers.connection}`
    }
    const connections = () => promisify(server.getConnections.bind(server))()

    // @guards src/http/front-door.ts:createFrontDoor
    it('REL-19: takes the next request on a connection that was promised, and says that it ends', async () => {
      koa = (_request, response) => {
        door.retire()
        response.end('begun before')
      }
      expect([await ask(), await ask()]).to.deep.equal(['200 keep-alive', '200 close'])
    })

    it('ends connections with what is under way on them once it finishes', async () => {
      koa = (_request, response) => {
        door.finish()
        response.end('begun before')
      }
      expect(await ask()).to.equal('200 keep-alive')
      await until('its end', async () => (await connections()) === 0, 2000)
    })
  })
})
