import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { until } from '../../support/until.ts'
import { bearer, type Caller, createCaller, type StartedEndpoint, sendBytes, startEndpoint } from './start-endpoint.ts'

const long = Buffer.alloc(3 * 1024 * 1024, 'x')
const answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
const wholeAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`

describe('MCP endpoint, when one side ends before the other has said all', () => {
  let upstream: {
    readonly url: string
    readonly heard: { bytes: number; sockets: number }
    hangUp(): void
    close(): void
  }
  let onRequest: (socket: Socket) => void
  let started: StartedEndpoint
  let caller: Caller

  beforeEach(async () => {
    const heard = { bytes: 0, sockets: 0 }
    const open = new Set<Socket>()
    const server = createServer((socket) => {
      heard.sockets += 1
      open.add(socket)
      socket.on('error', () => {})
      socket.once('data', () => onRequest(socket))
      socket.on('data', (chunk) => {
        heard.bytes += chunk.length
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const hangUp = () => {
      for (const socket of open) socket.destroy()
    }
    upstream = {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
      heard,
      hangUp,
      close: () => {
        hangUp()
        server.close()
      },
    }
    onRequest = (socket) => socket.end(wholeAnswer)
    started = await startEndpoint({ upstreamUrl: upstream.url })
    caller = createCaller(started)
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    upstream.close()
  })

  const head = (length: number) =>
    [
      `POST ${new URL(started.url).pathname} HTTP/1.1`,
      `host: 127.0.0.1:${started.port}`,
      `authorization: ${bearer('alice').authorization}`,
      'content-type: application/json',
      `content-length: ${length}\r\n\r\n`,
    ].join('\r\n')
  const isNews = () => started.log.some(({ level }) => Number(level) >= 50)

  for (const [title, length] of [
    ['in the middle of the request', 100],
    ['in the middle of a request that is too long', 100 * 1024 * 1024],
  ] as const) {
    it(`PX-11: the caller goes ${title}: nobody is asked, and nothing is left`, async () => {
      const socket = connect(started.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(`${head(length)}{"jsonrpc":`)
      await until('it is under way', () => started.inFlight() === 1 || started.log.length > 0)
      socket.destroy()
      await until('it is over', () => started.inFlight() === 0)
      expect(upstream.heard).to.deep.equal({ bytes: 0, sockets: 0 })
      expect(isNews()).to.equal(false)
      expect((await caller.call()).status, 'control').to.equal(200)
    })
  }

  it('PX-14: what stands behind a request that is refused is not taken for another', async () => {
    const inner = `${head(2)}{}`
    const refused = head(2).replace(/authorization: .*\r\n/, 'authorization: Bearer wrong\r\n')
    const text = await sendBytes(started.port, `${refused}{}${inner}`, (so) => so.split('HTTP/1.1 ').length > 2)
    // a pipelined request with a credential of its own is one: it is answered for itself, after the first
    expect(text.match(/HTTP\/1\.1 \d{3}/g)).to.deep.equal(['HTTP/1.1 401', 'HTTP/1.1 200'])
    const chunked = head(2).replace('content-length: 2', 'transfer-encoding: chunked\r\ncontent-length: 2')
    expect(await sendBytes(started.port, `${chunked}0\r\n\r\n${inner}`)).to.match(
      /^HTTP\/1\.1 400(?!.*HTTP\/1\.1 200)/s,
    )
  })

  for (const [title, end] of [
    ['and closes', (socket: Socket) => socket.end(wholeAnswer)],
    ['and reads no more', (socket: Socket) => socket.pause().write(wholeAnswer)],
    ['and breaks off', (socket: Socket) => socket.write(wholeAnswer, () => socket.resetAndDestroy())],
  ] as const) {
    it(`PX-11: the upstream answers before it has the whole request ${title}: the caller gets an answer or a 502`, async () => {
      onRequest = (socket) => void end(socket)
      const got = await caller.call({ body: long })
      if (title === 'and reads no more') expect(got).to.include({ status: 200, body: answer })
      else expect(got.status).to.be.oneOf([200, 502])
      if (got.status === 200) expect(got.body).to.equal(answer)
      onRequest = (socket) => socket.end(wholeAnswer)
      // one that reads no more keeps nobody waiting but its own callers, on this connection
      upstream.hangUp()
      expect((await caller.call()).status, 'the next call is none the worse').to.equal(200)
      expect(started.inFlight()).to.equal(0)
    })
  }
})
