import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { request } from 'undici'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'
import { type LegacyServer, startSseServer } from '../../support/upstreams/legacy-servers.ts'

type Listener = (socket: Socket) => void

/** An address that belongs to one after the other; it remembers what it was told, connection by connection. */
async function startAddress() {
  const connections: { told: string }[] = []
  const open = new Set<Socket>()
  let listener: Listener = (socket) => socket.destroy()
  const server = createServer((socket) => {
    const connection = { told: '' }
    connections.push(connection)
    open.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      connection.told += chunk.toString('latin1')
    })
    listener(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    givenTo(next: Listener): void {
      for (const socket of open) socket.destroy()
      connections.length = 0
      listener = next
    },
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** @param change of what goes back */
function leadTo(port: number, change: (answer: string) => string = (answer) => answer): Listener {
  return (near) => {
    const far = connect(port, '127.0.0.1')
    far.on('error', () => near.destroy())
    far.on('data', (chunk) => near.write(change(chunk.toString('latin1')), 'latin1'))
    far.on('end', () => near.end())
    near.on('data', (chunk) => far.write(chunk))
    near.on('close', () => far.destroy())
  }
}

const answerWith =
  (text: (request: string) => string): Listener =>
  (socket) =>
    void socket.on('data', (chunk) => socket.write(text(chunk.toString('latin1'))))

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
}
const list = { jsonrpc: '2.0', id: 2, method: 'tools/list', params: { of: 'the words of a caller' } }

describe("a session's home, when its address may belong to somebody else", function () {
  this.timeout(60_000)
  let upstream: LegacyServer
  let address: Awaited<ReturnType<typeof startAddress>>
  let near: Patchbay
  let home: Patchbay
  let path: string
  let session: string

  const send = async (to: Patchbay, body: object, headers: Record<string, string> = {}) => {
    const answer = await request(`http://127.0.0.1:${to.settings.PORT}${path}`, {
      method: 'POST',
      headers: {
        host: new URL(near.url).host,
        authorization: `Bearer ${near.admin}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(body),
    })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  const call = () => send(near, list, { 'mcp-session-id': session })
  const secrets = () => [near.admin, session, 'the words of a caller']
  const told = () => address.connections.map((connection) => connection.told).join('\n')

  before(async () => {
    upstream = await startSseServer()
    address = await startAddress()
    const [port = 0] = await freePorts(1)
    near = await startPatchbay({ env: { PORT: String(port), INTERNAL_URL: `http://127.0.0.1:${port}` } })
    home = await startPatchbay({
      sharing: near,
      env: { PUBLIC_URL: near.url, INTERNAL_URL: address.origin },
    })
    const id = await createConnector(near, upstream.url, { transport: 'sse', auth: { type: 'none' } })
    const { body } = await near.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    expect(body.state).to.equal('connected')
    path = `/connectors/${id}/mcp`
    session = String((await send(home, initialize)).headers['mcp-session-id'])
  })
  after(async () => {
    await home.close()
    await near.close()
    await address.close()
    await upstream.close()
  })

  it('control: while its home is there the call arrives, secrets and all, on the connection that was proven', async () => {
    address.givenTo(leadTo(home.settings.PORT))
    const answer = await call()
    expect([answer.status, answer.text.includes('"tools"')]).to.deep.equal([200, true])
    for (const secret of secrets()) expect(told()).to.include(secret)
    expect(address.connections).to.have.length(1)
    expect(told()).to.match(/^OPTIONS /)
  })

  const strangers: readonly (readonly [string, () => Listener])[] = [
    ['says nothing', () => () => {}],
    ['hangs up', () => (socket) => void socket.on('data', () => socket.destroy())],
    ['takes whatever comes', () => answerWith(() => 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')],
    ['never stops answering', () => answerWith(() => `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(100_000)}`)],
    [
      'says the question once more',
      () =>
        answerWith((asked) => {
          const nonce = /x-patchbay-forwarded: (\S+)/i.exec(asked)?.[1]
          return `HTTP/1.1 204 No Content\r\nx-patchbay-forwarded: ${nonce}\r\n\r\n`
        }),
    ],
    ['is another server of ours, or asks one', () => leadTo(near.settings.PORT)],
  ]
  for (const [what, listener] of strangers) {
    // @guards src/proxy/place-proof.ts:isMetBy
    it(`PX-21: tells one that ${what} neither the credential, nor the session, nor what is asked`, async () => {
      address.givenTo(listener())
      expect((await call()).status).to.equal(404)
      expect(told()).to.match(/^OPTIONS /)
      for (const secret of secrets()) expect(told()).to.not.include(secret)
    })
  }

  // @guards src/proxy/place-proof.ts:isMetBy
  it('PX-21: believes no proof twice', async () => {
    let heard = ''
    address.givenTo(
      leadTo(home.settings.PORT, (answer) => {
        heard ||= answer
        return answer
      }),
    )
    expect((await call()).status, 'control').to.equal(200)
    expect(heard).to.match(/^HTTP\/1\.1 204 .*x-patchbay-forwarded: [\w-]{43}\r\n/is)
    address.givenTo(answerWith(() => heard))
    expect((await call()).status).to.equal(404)
    for (const secret of secrets()) expect(told()).to.not.include(secret)
  })

  // @guards src/egress/ask-peer.ts:oneConnection
  it('PX-21: does not connect anew for the request itself', async () => {
    address.givenTo(
      leadTo(home.settings.PORT, (answer) => answer.replace('Connection: keep-alive', 'Connection: close')),
    )
    expect((await call()).status).to.equal(404)
    expect(address.connections).to.have.length(1)
    expect(told()).to.not.include(near.admin)
  })

  // @guards src/proxy/forward-session.ts:createForwardSession
  it('PX-14: passes on the body of a DELETE with its length, so that it is no request of its own', async () => {
    address.givenTo(leadTo(home.settings.PORT))
    const another = String((await send(home, initialize)).headers['mcp-session-id'])
    const body = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
    const answer = await request(near.url + path, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${near.admin}`, 'mcp-session-id': another },
      body,
    })
    expect(answer.statusCode).to.equal(200)
    expect(told()).to.include(`content-length: ${body.length}\r\n`).and.include(body)
    expect((await send(near, list, { 'mcp-session-id': another })).status, 'it is over').to.equal(404)
  })

  it('proves itself to nobody who asks with anything but a nonce', async () => {
    const ask = async (nonce: string) => {
      const { statusCode, headers } = await request(near.url + path, {
        method: 'OPTIONS',
        headers: { 'x-patchbay-forwarded': nonce },
      })
      return [statusCode, headers['x-patchbay-forwarded'] === undefined]
    }
    expect(await ask('n'.repeat(43)), 'control').to.deep.equal([204, false])
    for (const text of ['', 'n', 'n'.repeat(44), `${'n'.repeat(42)}"`])
      expect(await ask(text), text).to.deep.equal([404, true])
  })

  it('leaves no connection behind', async () => {
    address.givenTo(leadTo(home.settings.PORT))
    const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    for (let count = 0; count < 5; count += 1) expect((await call()).status).to.equal(200)
    await until('they are closed', () => {
      const now = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
      return now <= before + 1
    })
  })
})
