import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect } from 'chai'
import { type WebSocket, WebSocketServer } from 'ws'
import { until } from '../../support/until.ts'
import {
  bearer,
  type Caller,
  createCaller,
  type StartedEndpoint,
  startEndpoint,
  targetOf,
  usable,
} from './start-endpoint.ts'

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
})
const initialized = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 's', version: '1' } },
})
const list = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' })
const notify = (words: string) => `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":${words}}}`
const megabyte = 1024 * 1024

/** An upstream of an older transport that answers `initialize`, and then says whatever it is told to. */
type Hostile = {
  readonly url: string
  /** While set, a connection waits before it can be used. */
  holdUp: Promise<void> | null
  /** Connections that could be used, so far. */
  begun: number
  say(text: string): void
  isOpen(): boolean
  close(): void
}

async function startHostileSse(): Promise<Hostile> {
  let stream: ServerResponse | null = null
  const say = (text: string) => void stream?.write(`event: message\ndata: ${text}\n\n`)
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
      await hostile.holdUp
      hostile.begun += 1
      stream.write('event: endpoint\ndata: /messages\n\n')
    } else {
      request.resume().once('end', () => {
        response.writeHead(202).end()
        say(initialized)
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hostile: Hostile = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`,
    holdUp: null,
    begun: 0,
    say,
    isOpen: () => stream?.destroyed === false,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
  return hostile
}

async function startHostileWebSocket(): Promise<Hostile> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => 'mcp',
    perMessageDeflate: { threshold: 0 },
    verifyClient: (_info, done) => void Promise.resolve(hostile.holdUp).then(() => done(true)),
  })
  await once(server, 'listening')
  let socket: WebSocket | null = null
  server.on('connection', (opened) => {
    socket = opened
    hostile.begun += 1
    opened.once('message', () => opened.send(initialized))
  })
  const hostile: Hostile = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    holdUp: null,
    begun: 0,
    say: (text) => socket?.send(text),
    isOpen: () => server.clients.size > 0,
    close: () => {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
  return hostile
}

for (const [kind, start] of [
  ['sse', startHostileSse],
  ['websocket', startHostileWebSocket],
] as const) {
  describe(`MCP endpoint, when an upstream of ${kind} is hostile`, function () {
    this.timeout(60_000)
    let upstream: Hostile
    let started: StartedEndpoint
    let caller: Caller
    let session: { readonly 'mcp-session-id': string }

    beforeEach(async () => {
      upstream = await start()
      started = await startEndpoint({
        upstreamUrl: upstream.url,
        resolve: async () => usable(targetOf(upstream.url, { translation: kind })),
      })
      caller = createCaller(started)
      const { headers } = await caller.call({ body: initialize })
      session = { 'mcp-session-id': String(headers['mcp-session-id']) }
    })
    afterEach(async () => {
      await caller.close()
      await started.close()
      upstream.close()
    })

    const statusOfCall = async () => (await caller.call({ body: list, headers: session })).status
    const listen = async () => (await caller.open({ method: 'GET', headers: session })).body

    /** Reads until `isEnough`, or the end. */
    async function read(body: AsyncIterable<Buffer>, isEnough: (text: string) => boolean): Promise<string> {
      let text = ''
      try {
        for await (const chunk of body) {
          text += chunk.toString('latin1')
          if (isEnough(text)) break
        }
      } catch {
        // broken off
      }
      return text
    }

    it('control: passes on what it says, also when that is long', async () => {
      const body = await listen()
      upstream.say(notify(`"${'x'.repeat(megabyte)}"`))
      upstream.say(notify('"the last"'))
      const text = await read(body, (so) => so.includes('the last'))
      expect(text.length).to.be.greaterThan(megabyte)
    })

    // @guards src/proxy/translated-session.ts:onMessage
    it('PX-10: survives JSON of 100,000 levels, which cannot be written again, and ends the session', async () => {
      const body = await listen()
      upstream.say(notify('['.repeat(100_000) + ']'.repeat(100_000)))
      await read(body, () => false)
      await until('the session is ended upstream', () => !upstream.isOpen())
      expect(await statusOfCall()).to.equal(404)
    })

    // @guards src/proxy/translated-stream.ts:openStream
    it('PX-10: lets a reader go who does not read, in place of keeping all for him', async () => {
      const { hostname, port, pathname } = new URL(started.url)
      const socket = connect(Number(port), hostname)
      const lines = [
        `GET ${pathname} HTTP/1.1`,
        `host: ${hostname}:${port}`,
        `authorization: ${bearer('alice').authorization}`,
        'accept: text/event-stream',
        `mcp-session-id: ${session['mcp-session-id']}`,
      ]
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
      await once(socket, 'readable')
      socket.pause()
      expect(started.inFlight()).to.equal(1)
      const words = notify(`"${'x'.repeat(megabyte)}"`)
      let said = 0
      await until('he is let go', () => {
        if (said < 48) upstream.say(words)
        said += 1
        return started.inFlight() === 0
      })
      socket.destroy()
      expect(upstream.isOpen(), 'the session goes on').to.equal(true)
    })

    // @guards src/proxy/translate.ts:post
    it('PX-11: keeps no session for a caller who went while it was opened', async () => {
      await caller.call({ method: 'DELETE', headers: session })
      await until('the first one is over', () => !upstream.isOpen())
      let goOn = () => {}
      upstream.holdUp = new Promise((resolve) => {
        goOn = resolve
      })
      const leaving = new AbortController()
      const asked = caller.open({ body: initialize, signal: leaving.signal }).catch(() => null)
      await until('he is being served', () => started.inFlight() === 1)
      leaving.abort()
      await asked
      await until('he is gone', () => started.inFlight() === 0)
      goOn()
      upstream.holdUp = null
      await until('the session began', () => upstream.begun === 2)
      await until('it is over', () => !upstream.isOpen())
      expect((await caller.call({ body: initialize })).status, 'control').to.equal(200)
      expect(upstream.isOpen()).to.equal(true)
    })

    if (kind === 'websocket') {
      // @guards src/egress/guarded-dispatcher.ts:webSocketOptions
      it('PX-10: unpacks no more than 16 MB of one message', async () => {
        const body = await listen()
        upstream.say(notify(`"${'x'.repeat(64 * megabyte)}"`))
        await read(body, () => false)
        expect(await statusOfCall()).to.equal(404)
      })
    }
  })
}
