import { expect } from 'chai'
import type { Dispatcher } from 'undici'
import { type AddressPolicy, createAddressPolicy } from '../../../src/egress/address-policy.ts'
import type { LookupAddresses } from '../../../src/egress/guarded-connector.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { type Canary, startCanaries, startServer, startTlsServer, type TestServer } from './canary.ts'
import { certificate } from './tls-fixture.ts'

const permissive: AddressPolicy = { checkUrl: () => undefined, isAddressAllowed: () => true }

/** Names that only the tests' resolver knows, and what they resolve to. */
const names: Readonly<Record<string, readonly string[]>> = {
  'private.test': ['127.0.0.1'],
  'second.test': ['127.0.0.2'],
  'mixed.test': ['93.184.215.14', '127.0.0.1'],
  'mixed-first.test': ['127.0.0.1', '93.184.215.14'],
  'six.test': ['::1'],
  'mapped.test': ['::ffff:127.0.0.1'],
  'unspecified.test': ['0.0.0.0'],
  localhost: ['127.0.0.1', '::1'],
  'LOCALHOST.': ['127.0.0.1'],
  'localhost.': ['127.0.0.1'],
  'db.prod.svc': ['127.0.0.1'],
  'db.prod.svc.cluster.local': ['127.0.0.1'],
  'metadata.google.internal': ['127.0.0.1'],
}
const lookup: LookupAddresses = async (hostname) =>
  (names[hostname] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

const literals = [
  ...['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001'],
  ...['127.0.0.1.', '127.0.0.2', '0', '0.0.0.0', '①27.0.0.1', '127。0。0。1', '%31%32%37.0.0.1', '0x7f.0.0.0x1'],
  ...['[::1]', '[0:0:0:0:0:0:0:1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0::FFFF:7F00:0001]'],
]
const forms = [...literals, ...Object.keys(names).filter((name) => !name.startsWith('mixed'))]

describe('createGuardedDispatcher', () => {
  let canary: Canary
  const dispatchers: Dispatcher[] = []
  const open = (policy: AddressPolicy, resolver: LookupAddresses = lookup): Dispatcher => {
    const dispatcher = createGuardedDispatcher({ policy, lookup: resolver })
    dispatchers.push(dispatcher)
    return dispatcher
  }
  const knock = async (dispatcher: Dispatcher, url: URL): Promise<unknown> => {
    try {
      const { body } = await dispatcher.request({ origin: url.origin, path: '/', method: 'GET' })
      await body.dump()
      return null
    } catch (error) {
      return error
    }
  }
  /** https and the canary's own port permitted: nothing but the address is left to refuse. */
  const strict = (): AddressPolicy => createAddressPolicy({ allow: [], allowLoopback: false, ports: [canary.port] })

  beforeEach(async () => {
    canary = await startCanaries(['127.0.0.1', '127.0.0.2', '::1'])
  })
  afterEach(async () => {
    await Promise.all(dispatchers.splice(0).map((dispatcher) => dispatcher.destroy()))
    await canary.close()
  })

  it('SS-04, SS-05: opens no socket to a private address in any notation or behind any name', async () => {
    const dispatcher = open(strict())
    for (const form of [...forms, 'mixed.test', 'mixed-first.test']) {
      const error = await knock(dispatcher, new URL(`https://${form}:${canary.port}/`))
      expect(error, form).to.have.property('name', 'AppError')
      expect(error, form).to.have.property('code').which.is.oneOf(['url_not_allowed', 'egress_blocked'])
    }
    expect(canary.connections()).to.equal(0)
  })

  it('reaches the canary by at least 90 % of these forms without the guard (negative control)', async () => {
    const dispatcher = open(permissive)
    let reached = 0
    for (const form of forms) {
      const before = canary.connections()
      await knock(dispatcher, new URL(`https://${form}:${canary.port}/`))
      if (canary.connections() > before) reached += 1
    }
    expect(forms.length).to.be.at.least(30)
    expect(reached / forms.length).to.be.at.least(0.9)
  })

  it('SS-04: refuses a literal by its address alone, since no look-up is made for it', async () => {
    const addressOnly = { ...strict(), checkUrl: () => undefined }
    const error = await knock(open(addressOnly), new URL(`http://127.0.0.1:${canary.port}/`))
    expect(error).to.have.property('code', 'egress_blocked')
    expect(canary.connections()).to.equal(0)
  })

  it('SS-02, SS-12: refuses a scheme and a port by itself, wherever they lead', async () => {
    const anywhere: AddressPolicy = { ...strict(), isAddressAllowed: () => true }
    for (const url of [`http://private.test:${canary.port}`, `https://private.test:${canary.port + 1}`]) {
      const error = await knock(open(anywhere), new URL(url))
      expect(error, url).to.have.property('code', 'url_not_allowed')
    }
    expect(canary.connections()).to.equal(0)
  })

  // @guards src/egress/guarded-connector.ts:createGuardedLookup
  it('SS-05: refuses a host when one of its answers is private, wherever it stands', async () => {
    const addressOnly = { ...strict(), checkUrl: () => undefined }
    for (const host of ['mixed.test', 'mixed-first.test']) {
      const error = await knock(open(addressOnly), new URL(`http://${host}:${canary.port}/`))
      expect(error, host).to.have.nested.property('meta.reason', 'dns')
    }
    expect(canary.connections()).to.equal(0)
  })

  it('SS-05: connects to the address that was judged, and judges again for the next connection', async () => {
    const answers = ['127.0.0.3', '127.0.0.1']
    const asked: string[] = []
    const rebinding: LookupAddresses = async (hostname) => {
      asked.push(hostname)
      return [{ address: answers[Math.min(asked.length, answers.length) - 1] ?? '', family: 4 }]
    }
    const innocent = await startServer((_, response) => response.setHeader('connection', 'close').end(), '127.0.0.3')
    const trap = await startCanaries(['127.0.0.1'])
    const policy = createAddressPolicy({
      allow: [`127.0.0.3/32:${innocent.port}`],
      allowLoopback: false,
      ports: [innocent.port, trap.port],
    })
    const dispatcher = open({ ...policy, checkUrl: () => undefined }, rebinding)
    expect(await knock(dispatcher, new URL(`http://rebind.test:${innocent.port}/`))).to.equal(null)
    expect(asked).to.deep.equal(['rebind.test'])
    const second = await knock(dispatcher, new URL(`http://rebind.test:${innocent.port}/`))
    expect(second).to.have.property('code', 'egress_blocked')
    expect(innocent.requests.length).to.equal(1)
    expect(trap.connections()).to.equal(0)
    await Promise.all([innocent.close(), trap.close()])
  })

  // @guards src/egress/guarded-connector.ts:isPeerAllowed
  it('SS-04: sends nothing when the socket turns out to lead elsewhere than the look-up said', async () => {
    let judged = 0
    const fickle: AddressPolicy = { checkUrl: () => undefined, isAddressAllowed: () => judged++ === 0 }
    const error = await knock(open(fickle), new URL(`http://private.test:${canary.port}/`))
    expect(error).to.have.nested.property('meta.reason', 'peer')
    expect(canary.bytes()).to.equal(0)
  })

  it('SS-05: keeps the name in SNI, certificate check and Host when the address is pinned', async () => {
    const names: (string | undefined)[] = []
    const server = await startTlsServer((request, response) => {
      names.push(request.headers.host, (request.socket as { servername?: string }).servername)
      response.end()
    })
    const policy = createAddressPolicy({
      allow: [`pinned.test:${server.port}`, `imposter.test:${server.port}`],
      allowLoopback: false,
      ports: [],
    })
    const dispatcher = createGuardedDispatcher({
      policy,
      lookup: async () => [{ address: '127.0.0.1', family: 4 }],
      ca: certificate,
    })
    dispatchers.push(dispatcher)
    expect(await knock(dispatcher, new URL(`https://pinned.test:${server.port}`))).to.equal(null)
    expect(names).to.deep.equal([`pinned.test:${server.port}`, 'pinned.test'])
    const mismatch = await knock(dispatcher, new URL(`https://imposter.test:${server.port}`))
    expect(mismatch).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID')
    await server.close()
  })

  it('tries the next judged address when the first does not answer', async () => {
    const server = await startServer((_, response) => response.end(), '127.0.0.2')
    const policy = createAddressPolicy({ allow: [`two.test:${server.port}`], allowLoopback: false, ports: [] })
    const dispatcher = open(policy, async () => [
      { address: '127.0.0.9', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ])
    expect(await knock(dispatcher, new URL(`http://two.test:${server.port}`))).to.equal(null)
    await server.close()
  })

  it('says so when a name has no address', async () => {
    const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [443] })
    const error = await knock(open(policy), new URL('https://nowhere.test/'))
    expect(error).to.have.property('code', 'ENOTFOUND')
  })

  describe('with many origins', () => {
    let servers: TestServer[]
    const allowed = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })

    beforeEach(async () => {
      servers = await Promise.all(
        [1, 2, 3].map(() =>
          startServer((request, response) => {
            if (request.url === '/stream') response.write('begun')
            else response.end()
          }),
        ),
      )
    })
    afterEach(async () => {
      await Promise.all(servers.map((server) => server.close()))
    })

    it('SS-16: keeps a bounded number and ends the sockets of the one unused longest', async () => {
      const dispatcher = createGuardedDispatcher({ policy: allowed, maxOrigins: 2, keepAliveTimeoutMs: 60_000 })
      dispatchers.push(dispatcher)
      const [first, second, third] = servers.map(({ origin }) => new URL(origin))
      if (first === undefined || second === undefined || third === undefined) throw new Error('no servers')
      await knock(dispatcher, first)
      await knock(dispatcher, second)
      await knock(dispatcher, first)
      expect(servers[0]?.sockets(), 'kept alive').to.equal(1)
      const secondSocket = servers[1]?.requests[0]?.socket
      const isClosed = new Promise((resolve) => secondSocket?.once('close', resolve))
      await knock(dispatcher, third)
      await isClosed
      await knock(dispatcher, first)
      expect(servers[0]?.sockets(), 'still the same').to.equal(1)
    })

    it('SS-16: spares an origin with a stream open while an idle one can go', async () => {
      const dispatcher = createGuardedDispatcher({ policy: allowed, maxOrigins: 2, bodyTimeoutMs: 0 })
      dispatchers.push(dispatcher)
      const [first, second, third] = servers.map(({ origin }) => new URL(origin))
      if (first === undefined || second === undefined || third === undefined) throw new Error('no servers')
      const { body } = await dispatcher.request({ origin: first.origin, path: '/stream', method: 'GET' })
      await knock(dispatcher, second)
      await knock(dispatcher, third)
      expect(body.destroyed).to.equal(false)
      body.on('error', () => undefined).destroy()
    })

    // @guards src/egress/guarded-dispatcher.ts:connections
    it('SS-16: opens no more sockets to one origin than permitted', async () => {
      const dispatcher = createGuardedDispatcher({ policy: allowed, connectionsPerOrigin: 2 })
      dispatchers.push(dispatcher)
      const origin = servers[0]?.origin ?? ''
      await Promise.all(Array.from({ length: 8 }, () => knock(dispatcher, new URL(origin))))
      expect(servers[0]?.requests.length).to.equal(8)
      expect(servers[0]?.sockets()).to.equal(2)
    })
  })

  // @guards src/egress/guarded-dispatcher.ts:createPool
  it('SS-13: reads no proxy settings from the environment', async () => {
    const server = await startServer((_, response) => response.end())
    const before = { ...process.env }
    Object.assign(process.env, {
      HTTP_PROXY: `http://127.0.0.1:${canary.port}`,
      HTTPS_PROXY: `http://127.0.0.1:${canary.port}`,
    })
    try {
      const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })
      expect(await knock(open(policy), new URL(server.origin))).to.equal(null)
    } finally {
      process.env = before
      await server.close()
    }
    expect(canary.connections()).to.equal(0)
  })

  it('PX-08: refuses a header block of more than 16 KB', async () => {
    const server = await startServer((_, response) => response.setHeader('x-long', 'a'.repeat(17_000)).end())
    const policy = createAddressPolicy({ allow: [], allowLoopback: true, ports: [] })
    const error = await knock(open(policy), new URL(server.origin))
    expect(error).to.have.property('code', 'UND_ERR_HEADERS_OVERFLOW')
    await server.close()
  })
})
