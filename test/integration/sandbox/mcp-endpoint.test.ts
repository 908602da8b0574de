import type { Progress } from '@modelcontextprotocol/server'
import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { until } from '../../support/until.ts'
import { connectClient, connectSdk1Client } from '../../support/upstreams/mcp-clients.ts'
import { authorize, registerClient } from './journey.ts'

describe('sandbox: MCP', () => {
  let sandbox: Sandbox
  let alice: { authorization: string }
  let bob: { authorization: string }
  before(async () => {
    sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    const client = await registerClient(sandbox.issuer)
    const bearer = async (account: string) => ({
      authorization: `Bearer ${(await authorize(client, account)).access_token}`,
    })
    alice = await bearer('Alice')
    bob = await bearer('Bob')
  })
  after(() => sandbox.close())

  for (const era of ['legacy', 'modern'] as const) {
    describe(`when a client of the ${era} era connects`, () => {
      const connect = (headers: Record<string, string>) => connectClient(era, { url: sandbox.url, headers })

      it('speaks that era, with a session only in the legacy one', async () => {
        const { client, transport, close } = await connect(alice)
        expect(client.getNegotiatedProtocolVersion()).to.equal(era === 'legacy' ? '2025-11-25' : '2026-07-28')
        expect(transport.sessionId === undefined).to.equal(era === 'modern')
        await close()
      })

      it('lists tools with titles, descriptions and annotations', async () => {
        const { client, close } = await connect(alice)
        const { tools } = await client.listTools()
        expect(tools.map((tool) => tool.name)).to.deep.equal(['whoami', 'add', 'echo', 'slow_count', 'token_info'])
        for (const tool of tools) {
          expect(tool.title, tool.name).to.be.a('string')
          expect(tool.description, tool.name).to.be.a('string')
          expect(tool.annotations, tool.name).to.include({ readOnlyHint: true, destructiveHint: false })
        }
        await close()
      })

      it('tells two people on one server apart', async () => {
        const [first, second] = await Promise.all([connect(alice), connect(bob)])
        const calls = [first, second].map(({ client }) => client.callTool({ name: 'whoami' }))
        const accounts = (await Promise.all(calls)).map((result) => result.structuredContent)
        expect(accounts).to.deep.equal([{ account: 'Alice' }, { account: 'Bob' }])
        await Promise.all([first.close(), second.close()])
      })

      it('adds, echoes, and reports the time left on the token but never the token', async () => {
        const { client, close } = await connect(alice)
        const sum = await client.callTool({ name: 'add', arguments: { a: 2, b: 40 } })
        expect(sum.structuredContent).to.deep.equal({ sum: 42 })
        const echoed = await client.callTool({ name: 'echo', arguments: { text: 'Zażółć 🎛️' } })
        expect(echoed.content).to.deep.equal([{ type: 'text', text: 'Zażółć 🎛️' }])
        const info = await client.callTool({ name: 'token_info' })
        expect(info.structuredContent).to.have.property('seconds_left').that.is.within(1, 60)
        expect(JSON.stringify(info)).to.not.include(alice.authorization.slice(-40))
        await close()
      })

      it('streams progress before the result', async () => {
        const { client, close } = await connect(alice)
        const steps: Progress[] = []
        const onprogress = (step: Progress): void => {
          steps.push(step)
        }
        const request = { name: 'slow_count', arguments: { n: 3, pause_ms: 5 } }
        const result = await client.callTool(request, { onprogress })
        expect(steps.map(({ progress, total }) => `${progress}/${total}`)).to.deep.equal(['1/3', '2/3', '3/3'])
        expect(result.content).to.deep.equal([{ type: 'text', text: 'Counted to 3.' }])
        await close()
      })

      it('serves resources, a template and a prompt', async () => {
        const { client, close } = await connect(alice)
        const { resources } = await client.listResources()
        expect(resources.map(({ uri }) => uri)).to.include.members(['sandbox://readme', 'sandbox://notes/1'])
        const { resourceTemplates } = await client.listResourceTemplates()
        expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).to.deep.equal(['sandbox://notes/{id}'])
        const note = await client.readResource({ uri: 'sandbox://notes/2' })
        expect(note.contents[0]).to.have.property('text').that.includes('Idea')
        const { prompts } = await client.listPrompts()
        expect(prompts.map(({ name }) => name)).to.deep.equal(['greet'])
        const prompt = await client.getPrompt({ name: 'greet', arguments: { name: 'Ann', style: 'pirate' } })
        expect(JSON.stringify(prompt.messages)).to.include('pirate greeting for Ann')
        await close()
      })
    })
  }

  it('serves the SDK 1.x client', async () => {
    const { client, transport, close } = await connectSdk1Client({ url: sandbox.url, headers: bob })
    expect(transport.sessionId).to.be.a('string')
    expect((await client.callTool({ name: 'whoami' })).structuredContent).to.deep.equal({ account: 'Bob' })
    await close()
  })

  describe('a legacy session', () => {
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }
    const call = (method: string, headers: Record<string, string>, body?: unknown, signal?: AbortSignal) =>
      fetch(sandbox.url, {
        method,
        headers: {
          ...alice,
          accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
          'content-type': 'application/json',
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' }
    const begin = async (): Promise<{ 'mcp-session-id': string }> => {
      const response = await call('POST', {}, initialize)
      await response.text()
      return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' }
    }

    it('has a GET stream, one at a time, that can be opened again after it broke', async () => {
      const session = await begin()
      const hangUp = new AbortController()
      const stream = await call('GET', session, undefined, hangUp.signal)
      expect(stream.status).to.equal(200)
      expect(stream.headers.get('content-type')).to.equal('text/event-stream')
      expect((await call('GET', session)).status).to.equal(409)
      hangUp.abort()
      let reopened: Response | undefined
      await until('the stream to be free again', async () => {
        reopened = await call('GET', session)
        return reopened.status === 200
      })
      await reopened?.body?.cancel()
    })

    it('ends with DELETE, its stream too', async () => {
      const session = await begin()
      const stream = await call('GET', session)
      expect((await call('POST', session, list)).status).to.equal(200)
      expect((await call('DELETE', session)).status).to.equal(200)
      expect(await stream.text()).to.equal(': open\n\n')
      expect((await call('POST', session, list)).status).to.equal(404)
    })

    it('does not exist for another account', async () => {
      const session = await begin()
      expect((await call('POST', { ...session, ...bob }, list)).status).to.equal(404)
      expect((await call('DELETE', { ...session, ...bob })).status).to.equal(404)
      expect((await call('POST', session, list)).status).to.equal(200)
    })

    it('is asked for when it is missing, and refused when nobody knows it', async () => {
      expect((await call('POST', {}, list)).status).to.equal(400)
      expect((await call('POST', { 'mcp-session-id': 'unknown' }, list)).status).to.equal(404)
    })
  })

  it('ends open streams when it is closed', async () => {
    const other = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    const client = await registerClient(other.issuer)
    const headers = { authorization: `Bearer ${(await authorize(client)).access_token}` }
    const connected = await connectClient('legacy', { url: other.url, headers })
    await other.close()
    const gone = await fetch(other.issuer).catch(() => 'refused')
    expect(gone).to.equal('refused')
    await connected.client.close()
  })
})
