import { readFileSync } from 'node:fs'
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect } from 'chai'
import { Agent, fetch as fetchAnew } from 'undici'
import { startBalancer } from '../support/balancer.ts'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { type LegacyServer, startSseServer, startWebSocketServer } from '../support/upstreams/legacy-servers.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
}
const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' }
const kinds = ['sse', 'websocket'] as const
type Kind = (typeof kinds)[number]

/** Upstreams of the older transports, with a connected connector for each. */
async function connectLegacy(patchbay: Patchbay) {
  const upstreams = { sse: await startSseServer(), websocket: await startWebSocketServer() }
  const ids = new Map<Kind, string>()
  for (const kind of kinds) {
    const id = await createConnector(patchbay, upstreams[kind].url, { transport: kind, auth: { type: 'none' } })
    const { body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    expect(body.state).to.equal('connected')
    ids.set(kind, id)
  }
  return {
    upstreams: upstreams as Record<Kind, LegacyServer>,
    pathOf: (kind: Kind) => `/connectors/${ids.get(kind)}/mcp`,
    close: () => Promise.all(kinds.map((kind) => upstreams[kind].close())),
  }
}

/** Each request on a socket of its own, so that it may land in any process. */
function createHost(key: string) {
  const agent = new Agent({ pipelining: 0 })
  const fetch = ((url: string, init: object) =>
    fetchAnew(url, { ...init, dispatcher: agent })) as unknown as typeof globalThis.fetch
  const send = async (url: string, method: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        accept: 'application/json, text/event-stream',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    return { status: response.status, session: response.headers.get('mcp-session-id'), response }
  }
  return {
    send,
    async begin(url: string): Promise<Record<string, string>> {
      const { session, response } = await send(url, 'POST', initialize)
      await response.text()
      return { 'mcp-session-id': session ?? '' }
    },
    async connectSdk(url: string) {
      const client = new Sdk1Client({ name: 'c', version: '1' })
      const transport = new StreamableHTTPClientTransport(new URL(url), {
        requestInit: { headers: { authorization: `Bearer ${key}` } },
        fetch,
      })
      await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
      return { client, transport }
    },
    close: () => agent.destroy(),
  }
}
type Host = ReturnType<typeof createHost>

/** Those that serve. Under tsx there are children that do something else. */
const processesOf = ({ child }: ServerProcess): number[] =>
  readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('server.ts'))
    .map(Number)

describe('sessions that live in one process, where several serve', function () {
  this.timeout(120_000)
  let patchbay: Patchbay
  let legacy: Awaited<ReturnType<typeof connectLegacy>>
  let host: Host

  before(async () => {
    patchbay = await startPatchbay()
    legacy = await connectLegacy(patchbay)
    host = createHost(patchbay.admin)
  })
  after(async () => {
    await host.close()
    await legacy.close()
    await patchbay.close()
  })

  /** A whole session, each request of it wherever it lands. */
  async function useSession(url: string, upstream: LegacyServer): Promise<void> {
    const { client, transport } = await host.connectSdk(url)
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const progress: number[] = []
        const onprogress = (it: { progress: number }) => void progress.push(it.progress)
        await client.callTool({ name: 'count', arguments: { n: index } }, undefined, { onprogress })
        return progress
      }),
    )
    expect(answers).to.deep.equal(answers.map((_, index) => Array.from({ length: index }, (_, before) => before + 1)))
    expect(upstream.sessions()).to.equal(1)
    await transport.terminateSession()
    await client.close()
    await until('DELETE ends it upstream', () => upstream.sessions() === 0)
  }

  describe('when one server has two processes', () => {
    let server: ServerProcess
    const callsLogged = () => server.log.filter(({ msg, path }) => msg === 'request' && /\/mcp$/.test(String(path)))

    let metricsUrl: string

    before(async () => {
      const [port = 0] = await freePorts(1)
      metricsUrl = `http://127.0.0.1:${port}`
      server = await startServerProcess(patchbay, { env: { PROCESSES: '2', METRICS_PORT: String(port) } })
    })
    after(() => server?.kill())

    for (const kind of kinds) {
      // @guards src/proxy/forward-session.ts:createForwardSession
      it(`REL-24: serves a whole session with an upstream of ${kind}, wherever its requests land`, async () => {
        await useSession(server.url + legacy.pathOf(kind), legacy.upstreams[kind])
      })

      it(`PX-13: keeps a session of ${kind} from others wherever they come in`, async () => {
        const url = server.url + legacy.pathOf(kind)
        const session = await host.begin(url)
        const stranger = createHost(await patchbay.createKey({ subject: `stranger to ${kind}` }))
        const statuses = []
        for (let count = 0; count < 4; count += 1) {
          statuses.push((await stranger.send(url, 'POST', list, session)).status)
          statuses.push((await host.send(url, 'POST', list, session)).status)
        }
        await stranger.close()
        expect(statuses).to.deep.equal([404, 200, 404, 200, 404, 200, 404, 200])
        expect((await host.send(url, 'DELETE', undefined, session)).status).to.equal(200)
      })
    }

    it('control: some of them landed in the other process', async () => {
      const url = server.url + legacy.pathOf('sse')
      const session = await host.begin(url)
      const before = callsLogged().length
      for (let count = 0; count < 4; count += 1) await (await host.send(url, 'POST', list, session)).response.text()
      // those are logged by both processes
      await until('they are logged', () => callsLogged().length >= before + 6)
      expect(new Set(callsLogged().map(({ pid }) => pid))).to.have.length(2)
    })

    it('counts what both do, on one metrics port', async () => {
      const count = async () => {
        const text = await (await fetch(`${metricsUrl}/metrics`)).text()
        const lines = text.split('\n').filter((line) => /^patchbay_http_requests_total\{.*surface="mcp"/.test(line))
        return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
      }
      const before = await count()
      for (let turn = 0; turn < 4; turn += 1) {
        const { response } = await host.send(server.url + legacy.pathOf('sse'), 'POST', list)
        await response.text()
      }
      expect((await count()) - before).to.equal(4)
      expect((await fetch(`${metricsUrl}/readyz`)).status).to.equal(200)
    })

    it('PX-11: passes on both ends of a stream', async () => {
      const url = server.url + legacy.pathOf('sse')
      for (let turn = 0; turn < 2; turn += 1) {
        const session = await host.begin(url)
        // one of two lands elsewhere
        const first = await host.send(url, 'GET', undefined, session)
        expect(first.status).to.equal(200)
        await first.response.body?.cancel()
        await until('the stream is free again', async () => {
          const next = await host.send(url, 'GET', undefined, session)
          await next.response.body?.cancel()
          return next.status === 200
        })
        await host.send(url, 'DELETE', undefined, session)
      }
    })

    // @guards src/egress/ask-peer.ts:askPeer
    it('REL-24: answers 404 for a session whose process is gone, and goes on with other processes', async () => {
      const url = server.url + legacy.pathOf('sse')
      const session = await host.begin(url)
      const before = processesOf(server)
      expect(before).to.have.length(2)
      for (const pid of before) process.kill(pid, 'SIGKILL')
      await until(
        'two others were started',
        () => {
          const now = processesOf(server)
          return now.length === 2 && now.every((pid) => !before.includes(pid))
        },
        40_000,
      )
      await until(
        'they serve',
        async () => {
          const answer = await host.send(url, 'POST', list, session).catch(() => null)
          return answer?.status === 404
        },
        40_000,
      )
      for (let turn = 0; turn < 4; turn += 1) {
        expect((await host.send(url, 'POST', list, session)).status).to.equal(404)
      }
      await until('the old session is gone upstream', () => legacy.upstreams.sse.sessions() === 0)
      await useSession(url, legacy.upstreams.sse)
    })
  })

  it('lets no upstream stand at INTERNAL_URL', async () => {
    const server = await startPatchbay({ sharing: patchbay, env: { INTERNAL_URL: 'http://127.0.0.1:7777' } })
    const create = (port: number) =>
      server.request('POST', '/api/v1/connectors', { body: { url: `http://127.0.0.1:${port}/mcp` } })
    expect((await create(7777)).body.code).to.equal('url_not_allowed')
    expect((await create(7778)).status, 'control').to.equal(201)
    await server.close()
  })

  describe('when two servers stand behind a balancer', () => {
    let servers: Patchbay[]
    let balancer: Awaited<ReturnType<typeof startBalancer>>
    let publicUrl: string

    before(async () => {
      const ports = await freePorts(2)
      balancer = await startBalancer(ports)
      publicUrl = `http://localhost:${balancer.port}`
      servers = await Promise.all(
        ports.map((port) =>
          startPatchbay({
            sharing: patchbay,
            env: { PORT: String(port), PUBLIC_URL: publicUrl, INTERNAL_URL: `http://127.0.0.1:${port}` },
          }),
        ),
      )
    })
    after(async () => {
      balancer.close()
      await Promise.all(servers.map((server) => server.close()))
    })

    const isOfCall = (line: string) => /"request"/.test(line) && /\/mcp"/.test(line) && !/"OPTIONS"/.test(line)
    const linesOfCalls = () => servers.map(({ logs }) => logs.filter(isOfCall).length)

    for (const kind of kinds) {
      it(`REL-24: serves a whole session with an upstream of ${kind}, wherever its requests land`, async () => {
        await useSession(publicUrl + legacy.pathOf(kind), legacy.upstreams[kind])
      })
    }

    it('control: some of them landed in the other server', async () => {
      const url = publicUrl + legacy.pathOf('sse')
      const session = await host.begin(url)
      const before = linesOfCalls()
      for (let count = 0; count < 4; count += 1) await (await host.send(url, 'POST', list, session)).response.text()
      const since = () => linesOfCalls().map((lines, index) => lines - (before[index] ?? 0))
      await until('all are logged', () => since().reduce((sum, lines) => sum + lines, 0) === 6)
      expect(Math.min(...since())).to.equal(2)
      await host.send(url, 'DELETE', undefined, session)
    })

    it('refuses a proof that none of ours has made, and one for another request', async () => {
      const url = publicUrl + legacy.pathOf('sse')
      const session = await host.begin(url)
      for (const proof of ['', '1.x', `${Math.floor(Date.now() / 1000)}.${'A'.repeat(43)}`]) {
        const answer = await host.send(url, 'POST', list, { ...session, 'x-patchbay-forwarded': proof })
        expect(answer.status, proof).to.equal(404)
      }
      expect((await host.send(url, 'POST', list, session)).status, 'control').to.equal(200)
      await host.send(url, 'DELETE', undefined, session)
    })

    it('REL-24: answers 404 for a session whose server is gone', async () => {
      const url = publicUrl + legacy.pathOf('websocket')
      const sessions = await Promise.all([host.begin(url), host.begin(url)])
      const [, gone] = servers
      await gone?.close()
      servers.pop()
      const statuses = []
      for (const session of sessions) {
        const answer = await host.send(url, 'POST', list, session).catch(() => host.send(url, 'POST', list, session))
        statuses.push(answer.status)
      }
      expect(statuses).to.have.members([200, 404])
    })
  })
})
