import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect } from 'chai'
import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import type { GuardedConnectorOptions } from '../../../src/egress/guarded-connector.ts'
import type { UpstreamExchange, UpstreamRequest } from '../../../src/egress/http1/exchange.ts'
import { createUpstreamClient } from '../../../src/egress/http1/upstream-client.ts'
import { until } from '../../support/until.ts'
import { startCanaries, startServer, startTlsServer } from './canary.ts'
import { certificate } from './tls-fixture.ts'

type Client = ReturnType<typeof createUpstreamClient>
/** One connection as the server sees it. */
type Peer = { readonly socket: Socket; received: string; isClosed: boolean }
type Server = { readonly origin: string; readonly peers: readonly Peer[] }
/** One request, and all that was heard of it. */
type Asked = {
  status: number
  body: string
  end: 'complete' | 'failed' | null
  error: unknown
  exchange: UpstreamExchange
}

const loopback = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })
const ok = (body: string, ...head: string[]): string =>
  `${['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...head].join('\r\n')}\r\n\r\n${body}`

describe('createUpstreamClient', () => {
  const clients: Client[] = []
  const ends: (() => Promise<unknown>)[] = []
  const open = (options: GuardedConnectorOptions = { policy: loopback }): Client => {
    const client = createUpstreamClient(options)
    clients.push(client)
    return client
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    for (const end of ends.splice(0)) await end()
  })

  /** A server on a raw socket, which answers each piece that comes. */
  async function serve(answer: (peer: Peer, piece: string, peers: readonly Peer[]) => void): Promise<Server> {
    const peers: Peer[] = []
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const peer = { socket, received: '', isClosed: false }
      peers.push(peer)
      socket.on('data', (bytes) => {
        peer.received += bytes.toString('latin1')
        answer(peer, bytes.toString('latin1'), peers)
      })
      socket.on('end', () => socket.end())
      socket.on('error', () => {})
      socket.on('close', () => {
        peer.isClosed = true
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    ends.push(async () => {
      for (const { socket } of peers) socket.destroy()
      server.close()
    })
    return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, peers }
  }

  function send(client: Client, origin: string, change: Partial<UpstreamRequest> = {}, takes = true): Asked {
    const asked: Partial<Asked> = { status: 0, body: '', end: null, error: null }
    const request = { origin, path: '/mcp', method: 'POST', headers: [], body: Buffer.from('{}'), ...change }
    asked.exchange = client.dispatch(request, {
      onHead: (status) => {
        asked.status = status
      },
      onData: (bytes) => {
        asked.body += bytes.toString('latin1')
        return takes
      },
      onEnd: () => {
        asked.end = 'complete'
      },
      onFailure: (error) => {
        asked.end = 'failed'
        asked.error = error
      },
    })
    return asked as Asked
  }
  async function ask(client: Client, origin: string, change: Partial<UpstreamRequest> = {}): Promise<Asked> {
    const asked = send(client, origin, change)
    await until('the exchange is over', () => asked.end !== null)
    return asked
  }

  it('sends one request after the other on one connection, and simultaneous ones on their own', async () => {
    const server = await serve(({ socket }) => socket.write(ok('{}')))
    const client = open()
    for (const _ of [1, 2, 3])
      expect(await ask(client, server.origin)).to.include({ status: 200, body: '{}', end: 'complete' })
    expect(server.peers).to.have.length(1)
    const all = await Promise.all([1, 2, 3].map(() => ask(client, server.origin)))
    expect(all.every(({ body }) => body === '{}')).to.equal(true)
    expect(server.peers).to.have.length(3)
    expect(server.peers[0]?.received.startsWith('POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:')).to.equal(true)
  })

  it('finds a server by its IPv6 address', async () => {
    const server = await startServer((request, response) => response.end(request.headers.host), '::1')
    ends.push(server.close)
    expect(await ask(open(), server.origin)).to.include({ status: 200, body: `[::1]:${server.port}` })
  })

  it('sends long bodies whole', async () => {
    const server = await startServer((request, response) => request.pipe(response))
    ends.push(server.close)
    const body = Buffer.alloc(3_000_000, 'abcdefg')
    const { body: back } = await ask(open(), server.origin, { body })
    expect(back === body.toString('latin1')).to.equal(true)
  })

  // one piece of memory serves all sockets
  it('PX-12: mixes up no answers that come at the same time, in pieces', async () => {
    const server = await serve(({ socket }, piece) => {
      const name = /name: (\w+)/.exec(piece)?.[1] ?? ''
      const text = ok(`${name}-`.repeat(3000))
      for (let at = 0; at < text.length; at += 997) setImmediate(() => socket.write(text.slice(at, at + 997)))
    })
    const client = open()
    const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
    for (const _ of [1, 2, 3]) {
      const all = await Promise.all(names.map((name) => ask(client, server.origin, { headers: ['name', name] })))
      expect(all.map(({ body }) => body)).to.deep.equal(names.map((name) => `${name}-`.repeat(3000)))
    }
  })

  it('speaks TLS to the name it was given, and trusts nobody else', async () => {
    const server = await startTlsServer((_, response) => response.end('sealed'))
    ends.push(server.close)
    const hosts = ['pinned.test', 'imposter.test'].map((name) => `${name}:${server.port}`)
    const policy = createAddressPolicy({ allow: hosts, allowLoopback: false, ports: [] })
    const client = open({ policy, lookup: async () => [{ address: '127.0.0.1', family: 4 }], ca: certificate })
    for (const _ of [1, 2]) expect(await ask(client, `https://${hosts[0]}`)).to.include({ status: 200, body: 'sealed' })
    expect(server.sockets()).to.equal(1)
    expect(server.requests[0]?.headers.host).to.equal(hosts[0])
    expect((await ask(client, `https://${hosts[1]}`)).error).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  // @guards src/egress/guarded-connector.ts:createGuardedOpener
  it('SS-04, SS-05: opens no socket to a private address, by number or behind a name', async () => {
    const canary = await startCanaries(['127.0.0.1', '::1'])
    ends.push(canary.close)
    const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [canary.port] })
    const lookup = async () => [{ address: '127.0.0.1', family: 4 }]
    const client = open({ policy, lookup })
    for (const host of ['127.0.0.1', '[::1]', '2130706433', 'private.test', 'localhost']) {
      const { error } = await ask(client, new URL(`https://${host}:${canary.port}`).origin)
      expect(error, host).to.have.property('code').which.is.oneOf(['url_not_allowed', 'egress_blocked'])
    }
    expect(canary.connections()).to.equal(0)
    const permissive = open({ policy: { checkUrl: () => undefined, isAddressAllowed: () => true }, lookup })
    await ask(permissive, `http://private.test:${canary.port}`)
    expect(canary.connections(), 'negative control').to.equal(1)
  })

  it('SS-04: sends nothing when the socket turns out to lead elsewhere than the look-up said', async () => {
    const server = await serve(() => {})
    let judged = 0
    const policy = { checkUrl: () => undefined, isAddressAllowed: () => judged++ === 0 }
    const lookup = async () => [{ address: '127.0.0.1', family: 4 }]
    const { error } = await ask(open({ policy, lookup }), server.origin.replace('127.0.0.1', 'name.test'))
    expect(error).to.have.nested.property('meta.reason', 'peer')
    expect(server.peers[0]?.received ?? '').to.equal('')
  })

  describe('gives a connection up', () => {
    const cases: readonly (readonly [why: string, answer: string])[] = [
      ['that the other side wants to close', ok('{}', 'Connection: close')],
      ['that the other side keeps for two seconds only', ok('{}', 'Keep-Alive: timeout=2')],
      ['on which more came than the answer', `${ok('{}')}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]`],
    ]
    for (const [why, answer] of cases) {
      // @guards src/egress/http1/connection.ts:onEnd
      it(`PX-08: ${why}`, async () => {
        const server = await serve(({ socket }) => socket.write(answer))
        const client = open()
        expect(await ask(client, server.origin)).to.include({ body: '{}', end: 'complete' })
        expect(await ask(client, server.origin)).to.include({ body: '{}', end: 'complete' })
        expect(server.peers).to.have.length(2)
        await until('the first is closed', () => server.peers[0]?.isClosed === true)
      })
    }

    // @guards src/egress/http1/connection.ts:read
    it('PX-08: on which something comes that nobody asked for', async () => {
      const server = await serve(({ socket }) => socket.write(ok('{}')))
      const client = open()
      await ask(client, server.origin)
      server.peers[0]?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]')
      await until('it is closed', () => server.peers[0]?.isClosed === true)
      expect(await ask(client, server.origin)).to.include({ body: '{}' })
      expect(server.peers).to.have.length(2)
    })

    it('whose request is not sent whole when its answer is over', async () => {
      const server = await serve((peer) => {
        peer.socket.pause()
        if (peer.received.startsWith('POST')) peer.socket.write(ok('no'))
      })
      const client = open()
      const body = Buffer.alloc(20_000_000, 'x')
      expect(await ask(client, server.origin, { body })).to.include({ body: 'no', end: 'complete' })
      await ask(client, server.origin)
      expect(server.peers).to.have.length(2)
    })

    it('that was closed while nobody used it', async () => {
      const server = await serve(({ socket }) => socket.write(ok('{}')))
      const client = open()
      await ask(client, server.origin)
      server.peers[0]?.socket.end()
      await until('it is closed', () => server.peers[0]?.isClosed === true)
      expect(await ask(client, server.origin)).to.include({ body: '{}', end: 'complete' })
      expect(server.peers).to.have.length(2)
    })

    it('that nobody has used for as long as the other side keeps it', async () => {
      const server = await serve(({ socket }) => socket.write(ok('{}', 'Keep-Alive: timeout=3')))
      const client = open()
      await ask(client, server.origin)
      await until('it is closed', () => server.peers[0]?.isClosed === true)
      expect(server.peers).to.have.length(1)
    })
  })

  it('PX-09: fails an answer that is cut short, in whatever place, and never sends a request again', async () => {
    const whole = ok('{}')
    for (const text of ['', whole.slice(0, 9), whole.slice(0, -4), whole.slice(0, -1)]) {
      const server = await serve(({ socket }) => socket.end(text))
      const { end, error } = await ask(open(), server.origin)
      expect(end, text).to.equal('failed')
      expect(error).to.have.property('code', 'upstream_error')
      expect(server.peers).to.have.length(1)
    }
    const resetting = await serve(({ socket }) => socket.resetAndDestroy())
    expect((await ask(open(), resetting.origin)).error).to.have.property('code', 'ECONNRESET')
  })

  it('PX-11: ends the connection of a request that is given up, before its answer and within it', async () => {
    for (const text of ['', `${ok('x'.repeat(100)).slice(0, -50)}`]) {
      const server = await serve(({ socket }) => text !== '' && socket.write(text))
      const asked = send(open(), server.origin)
      await until(
        'it has come',
        () => server.peers[0]?.received !== undefined && asked.body.length >= text.length - 100,
      )
      await until('it is read', () => (server.peers[0]?.received.length ?? 0) > 0)
      asked.exchange.abort()
      await until('it is closed', () => server.peers[0]?.isClosed === true)
      expect(asked.end).to.equal(null)
    }
  })

  it('sends nothing of a request that is given up before there is a connection, and keeps the connection for the next', async () => {
    const server = await serve(({ socket }) => socket.write(ok('{}')))
    const client = open()
    send(client, server.origin).exchange.abort()
    const { exchange } = send(client, server.origin)
    // requests are begun at the end of a turn of the event loop: the first not at all, the second is being connected
    await nextTurn()
    exchange.abort()
    await until('it is connected', () => server.peers.length === 1)
    expect(await ask(client, server.origin)).to.include({ body: '{}' })
    expect(server.peers[0]?.received.match(/POST/g)?.length ?? 0).to.equal(server.peers.length === 1 ? 1 : 0)
  })

  it('says why there is no connection', async () => {
    const server = await serve(() => {})
    for (const end of ends.splice(0)) await end()
    expect((await ask(open(), server.origin)).error).to.have.property('code', 'ECONNREFUSED')
  })

  // @guards src/egress/http1/connection.ts:resume
  it('PX-10: stops reading while nobody takes more, and goes on from there', async () => {
    const total = 12_000_000
    const server = await serve(({ socket }) => void socket.write(ok('x'.repeat(total))))
    const asked = send(open(), server.origin, {}, false)
    await until('the first of it is here', () => asked.body.length > 0)
    const { socket } = server.peers[0] ?? {}
    let before = -1
    await until('the sender is held back', () => {
      const isStill = socket?.writableLength === before && before > 0
      before = socket?.writableLength ?? 0
      return isStill
    })
    expect(asked.body.length).to.be.at.most(2 * 64 * 1024)
    await until('all of it is here', () => {
      asked.exchange.resume()
      return asked.end !== null
    })
    expect(asked.body.length).to.equal(total)
    expect(asked.end).to.equal('complete')
  })

  it('closes everything when it is destroyed', async () => {
    const server = await serve(({ socket }, piece) => piece.includes('idle') && socket.write(ok('{}')))
    const client = open()
    await ask(client, server.origin, { headers: ['x', 'idle'] })
    const [first, second] = [send(client, server.origin), send(client, server.origin)]
    await until('both are under way', () => server.peers.length === 2)
    client.destroy()
    await until('both are closed', () => server.peers.every(({ isClosed }) => isClosed))
    expect([first.end, second.end]).to.deep.equal([null, null])
  })
})
