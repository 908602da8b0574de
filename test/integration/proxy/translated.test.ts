import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'chai'
import type { Resolution, UpstreamTarget } from '../../../src/connections/resolve-upstream.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { until } from '../../support/until.ts'
import { type LegacyServer, startSseServer, startWebSocketServer } from '../../support/upstreams/legacy-servers.ts'
import { connectClient, connectSdk1Client } from '../../support/upstreams/mcp-clients.ts'
import { bearer, createCaller, type StartedEndpoint, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''
const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
})
const list = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' })

for (const [kind, start] of [
  ['sse', startSseServer],
  ['websocket', startWebSocketServer],
] as const) {
  describe(`MCP endpoint, when the upstream speaks ${kind}`, () => {
    let upstream: LegacyServer
    let started: StartedEndpoint
    let target: UpstreamTarget
    const at = () => ({ url: started.url, headers: bearer('alice') })

    beforeEach(async () => {
      upstream = await start({ token: 'upstream-token' })
      target = targetOf(upstream.url, { translation: kind })
      const resolve = async (): Promise<Resolution> => usable(target)
      started = await startEndpoint({ upstreamUrl: upstream.url, resolve, limits: { translatedSessions: 6 } })
    })
    afterEach(async () => {
      await started.close()
      await upstream.close()
    })

    const connectors = [
      ['SDK 1.x', () => connectSdk1Client(at())],
      ['SDK 2.x', () => connectClient('legacy', at())],
    ] as const
    for (const [name, connect] of connectors) {
      it(`serves a whole session to ${name}: list, call, end`, async () => {
        const { client, transport, close } = await connect()
        expect(transport.sessionId).to.match(/~-\.[\w-]{22}$/)
        expect((await client.listTools()).tools.map((tool) => tool.name)).to.include.members(['echo', 'ask'])
        expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'hi' } }))).to.equal('hi')
        expect(upstream.sessions()).to.equal(1)
        await close()
        await until('DELETE ends it upstream', () => upstream.sessions() === 0)
      })
    }

    it('passes progress to the call that it is of', async () => {
      const { client, close } = await connectSdk1Client(at())
      const count = async (n: number) => {
        const seen: number[] = []
        await client.callTool({ name: 'count', arguments: { n } }, undefined, {
          onprogress: ({ progress }) => void seen.push(progress),
        })
        return seen
      }
      expect(await Promise.all([count(2), count(3)])).to.deep.equal([
        [1, 2],
        [1, 2, 3],
      ])
      await close()
    })

    it('passes a question of the server to the client, and the answer back', async () => {
      const client = new Sdk1Client({ name: 'c', version: '1' }, { capabilities: { sampling: {} } })
      client.setRequestHandler(CreateMessageRequestSchema, async () => ({
        model: 'm',
        role: 'assistant',
        content: { type: 'text', text: 'that' },
      }))
      const transport = new Sdk1Transport(new URL(started.url), { requestInit: { headers: bearer('alice') } })
      await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
      expect(textOf(await client.callTool({ name: 'ask', arguments: {} }))).to.include('that')
      await client.close()
    })

    // @guards src/upstream/legacy-transport.ts:createLegacyTransports
    it('PX-02: sends the connector’s credential, and never the caller’s', async () => {
      const { client, close } = await connectSdk1Client(at())
      await client.listTools()
      await close()
      expect(new Set(upstream.authorizations)).to.deep.equal(new Set(['Bearer upstream-token']))
    })

    it('PX-13: knows a session for its own caller only', async () => {
      const { transport, close } = await connectSdk1Client(at())
      const caller = createCaller(started)
      const session = { 'mcp-session-id': transport.sessionId ?? '' }
      expect((await caller.call({ body: list, headers: session })).status).to.equal(200)
      expect((await caller.call({ body: list, headers: { ...session, ...bearer('bob') } })).status).to.equal(404)
      await close()
      await caller.close()
    })

    it('PX-11, REL-24: ends streams when the upstream breaks, and knows the session no more', async () => {
      const { transport } = await connectSdk1Client(at())
      const caller = createCaller(started)
      const session = { 'mcp-session-id': transport.sessionId ?? '' }
      await transport.close()
      const stream = await caller.open({ method: 'GET', headers: session })
      expect(stream.statusCode).to.equal(200)
      upstream.breakAll()
      await stream.body.text().catch(() => '')
      expect((await caller.call({ body: list, headers: session })).status).to.equal(404)
      expect((await caller.call({ body: initialize })).status, 'control').to.equal(200)
      await caller.close()
    })

    it('gives the stream to whoever asks last, since the older one may be lost', async () => {
      const { transport } = await connectSdk1Client(at())
      const caller = createCaller(started)
      const session = { 'mcp-session-id': transport.sessionId ?? '' }
      const older = await caller.open({ method: 'GET', headers: session })
      const newer = await caller.open({ method: 'GET', headers: session })
      expect([older.statusCode, newer.statusCode]).to.deep.equal([200, 200])
      await older.body.text()
      newer.body.destroy()
      await transport.close()
      await caller.close()
    })

    it('takes no session over to another grant', async () => {
      const { transport } = await connectSdk1Client(at())
      await transport.close()
      target = { ...target, grantEpoch: 2 }
      const caller = createCaller(started)
      const answer = await caller.call({ body: list, headers: { 'mcp-session-id': transport.sessionId ?? '' } })
      expect(answer.status).to.equal(404)
      await until('it is ended upstream', () => upstream.sessions() === 0)
      await caller.close()
    })

    // @guards src/proxy/translate.ts:makeRoom
    it('PX-17: whoever opens session after session ends his own, and nobody else’s', async () => {
      const caller = createCaller(started)
      const begin = async (who: 'alice' | 'bob') => {
        const { status, headers } = await caller.call({ body: initialize, headers: bearer(who) })
        expect(status).to.equal(200)
        return { ...bearer(who), 'mcp-session-id': String(headers['mcp-session-id']) }
      }
      const alice = await begin('alice')
      const bob = []
      for (let count = 0; count < 8; count += 1) bob.push(await begin('bob'))
      const statuses = []
      for (const headers of [alice, ...bob]) statuses.push((await caller.call({ body: list, headers })).status)
      expect(statuses).to.deep.equal([200, 404, 404, 404, 404, 404, 200, 200, 200])
      await until('the rest is ended upstream', () => upstream.sessions() === 4)
      await caller.close()
    })

    it('sends clients of both eras to the older one', async () => {
      const caller = createCaller(started)
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: {} })
      const answer = await caller.call({ body, headers: { 'mcp-protocol-version': '2026-07-28' } })
      expect([answer.status, JSON.parse(answer.body).error.code]).to.deep.equal([400, -32000])
      await caller.close()
    })

    it('answers 502 or 504 when nobody is there', async () => {
      await upstream.close()
      const caller = createCaller(started)
      expect((await caller.call({ body: initialize })).status).to.be.within(502, 504)
      await caller.close()
    })

    it('answers what is no JSON-RPC with 400', async () => {
      const caller = createCaller(started)
      expect((await caller.call({ body: '{"id":{}}' })).status).to.equal(400)
      await caller.close()
    })
  })
}

describe('MCP endpoint, when an HTTP+SSE upstream refuses the credential', () => {
  it('REL-12: renews it once and begins the session again', async () => {
    const upstream = await startSseServer({ token: 'fresh' })
    const withToken = (token: string, tokenVersion: number) =>
      usable(
        targetOf(upstream.url, {
          translation: 'sse',
          tokenVersion,
          headers: { authorization: new Secret(`Bearer ${token}`) },
        }),
      )
    const started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => withToken('stale', 1),
      recover: async () => withToken('fresh', 2),
    })
    const caller = createCaller(started)
    const answer = await caller.call({ body: initialize })
    expect(answer.status).to.equal(200)
    expect(answer.body).to.include('"serverInfo":{"name":"legacy"')
    expect(upstream.authorizations.slice(0, 2)).to.deep.equal(['Bearer stale', 'Bearer fresh'])
    await caller.close()
    await started.close()
    await upstream.close()
  })
})
