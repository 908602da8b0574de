import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'chai'
import type { Resolution } from '../../../src/connections/resolve-upstream.ts'
import { until } from '../../support/until.ts'
import { connectClient, connectSdk1Client } from '../../support/upstreams/mcp-clients.ts'
import { startModernServer } from '../../support/upstreams/modern-server.ts'
import { startServerEverything } from '../../support/upstreams/server-everything.ts'
import type { Upstream } from '../../support/upstreams/upstream.ts'
import { bearer, type StartedEndpoint, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''

describe('MCP endpoint, with the SDKs’ clients', () => {
  describe('when the upstream is server-everything, up to 2025-11-25', function () {
    this.timeout(30_000)
    let upstream: Upstream
    let started: StartedEndpoint
    let resolution: Resolution
    const target = () => ({ url: started.url, headers: bearer('alice') })

    before(async () => {
      upstream = await startServerEverything()
      started = await startEndpoint({ upstreamUrl: upstream.url, resolve: async () => resolution })
    })
    beforeEach(() => {
      resolution = usable(targetOf(upstream.url))
    })
    after(async () => {
      await started.close()
      await upstream.close()
    })

    const connectors = [
      ['SDK 1.x', () => connectSdk1Client(target())],
      ['SDK 2.x', () => connectClient('legacy', target())],
    ] as const
    for (const [name, connect] of connectors) {
      it(`serves a whole session to ${name}: list, call, progress, end`, async () => {
        const { client, transport, close } = await connect()
        const session = transport.sessionId
        expect(session).to.match(/~-\.[\w-]{22}$/)
        expect((await client.listTools()).tools.map((tool) => tool.name)).to.include('echo')
        expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).to.include('hi')
        expect((await client.listPrompts()).prompts).not.to.deep.equal([])
        expect((await client.listResources()).resources).not.to.deep.equal([])
        await close()

        const again = await fetch(started.url, {
          method: 'POST',
          headers: {
            ...bearer('alice'),
            accept: 'application/json, text/event-stream',
            'content-type': 'application/json',
            'mcp-session-id': session ?? '',
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
        })
        await again.text()
        expect(again.status, 'DELETE reached the upstream').to.be.within(400, 404)
      })
    }

    it('passes progress while a tool runs', async () => {
      const { client, close } = await connectSdk1Client(target())
      const seen: number[] = []
      await client.callTool(
        { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } },
        undefined,
        { onprogress: ({ progress }) => void seen.push(progress) },
      )
      expect(seen).to.deep.equal([1, 2, 3])
      await close()
    })

    it('passes a request of the server to the client, and the answer back', async () => {
      const client = new Sdk1Client({ name: 'c', version: '1' }, { capabilities: { sampling: {} } })
      client.setRequestHandler(CreateMessageRequestSchema, async () => ({
        model: 'test',
        role: 'assistant',
        content: { type: 'text', text: 'sampled words' },
      }))
      const transport = new Sdk1Transport(new URL(started.url), { requestInit: { headers: bearer('alice') } })
      await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
      const result = await client.callTool({
        name: 'trigger-sampling-request',
        arguments: { prompt: 'x', maxTokens: 5 },
      })
      expect(textOf(result)).to.include('sampled words')
      await client.close()
    })

    it('lets a client of both eras fall back to the older one', async () => {
      const client = new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode: 'auto' } })
      await client.connect(
        new StreamableHTTPClientTransport(new URL(started.url), { requestInit: { headers: bearer('alice') } }),
      )
      expect(textOf(await client.callTool({ name: 'echo', arguments: { message: 'hi' } }))).to.include('hi')
      await client.close()
    })

    it('closes nothing on the upstream’s side that a client left open', async () => {
      const { transport, client } = await connectSdk1Client(target())
      await client.listTools()
      await transport.close()
      await until('nothing in flight', () => started.inFlight() === 0)
    })
  })

  describe('when the upstream speaks 2026-07-28 only', function () {
    this.timeout(30_000)
    let upstream: Upstream
    let started: StartedEndpoint

    before(async () => {
      upstream = await startModernServer()
      started = await startEndpoint({ upstreamUrl: upstream.url })
    })
    after(async () => {
      await started.close()
      await upstream.close()
    })

    it('serves a pinned client: list, call, progress', async () => {
      const { client, close } = await connectClient('modern', { url: started.url, headers: bearer('alice') })
      expect((await client.listTools()).tools.map(({ name }) => name)).to.have.members(['shout', 'count'])
      expect(textOf(await client.callTool({ name: 'shout', arguments: { text: 'hi' } }))).to.equal('HI')
      const seen: number[] = []
      await client.callTool(
        { name: 'count', arguments: { n: 3 } },
        { onprogress: ({ progress }) => void seen.push(progress) },
      )
      expect(seen).to.deep.equal([1, 2, 3])
      await close()
    })

    it('lets a client of both eras find it', async () => {
      const client = new Client({ name: 'c', version: '1' }, { versionNegotiation: { mode: 'auto' } })
      await client.connect(
        new StreamableHTTPClientTransport(new URL(started.url), { requestInit: { headers: bearer('alice') } }),
      )
      expect(textOf(await client.callTool({ name: 'shout', arguments: { text: 'hi' } }))).to.equal('HI')
      await client.close()
    })

    it('control: refuses a client of the older era as the upstream does', async () => {
      const failure = await connectClient('legacy', { url: started.url, headers: bearer('alice') }).catch(
        (error: Error) => error,
      )
      expect(failure).to.be.instanceOf(Error)
    })
  })
})
