import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { callTool, listTools } from '../support/call-tool.ts'
import { authorize, createConnector } from '../support/connecting.ts'
import { requireRedis } from '../support/lanes.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { type ClientTarget, connectClient, connectSdk1Client } from '../support/upstreams/mcp-clients.ts'
import { startModernServer } from '../support/upstreams/modern-server.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'
import { type SimpleOAuthUpstream, startSdkSimpleOAuth } from '../support/upstreams/sdk-simple-oauth.ts'
import { startServerEverything } from '../support/upstreams/server-everything.ts'
import type { Upstream } from '../support/upstreams/upstream.ts'
import { startWorker, type WorkerProcess } from '../support/worker.ts'

type Tool = { readonly name: string; readonly arguments: Record<string, unknown> }

/** What the workers of a cluster say, where the tests have one: any worker may renew a token. */
const workersOf = ({ logs }: Patchbay): Record<string, unknown>[] =>
  logs.filter((line) => line.includes('refresh job done')).map((line) => JSON.parse(line))

const endpoints = ['/connectors/<id>/mcp', '/api/v1/connectors/<id>/mcp'] as const

describe('the whole journey', () => {
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const target = (id: string, endpoint: string = endpoints[0]): ClientTarget => ({
    url: patchbay.url + endpoint.replace('<id>', id),
    headers: { authorization: `Bearer ${patchbay.admin}` },
  })
  const read = async (id: string) => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body
  const eventsOf = async (id: string): Promise<{ type: string; code: string | null; at: string }[]> =>
    (await patchbay.request('GET', `/api/v1/connectors/${id}/events`)).body.items
  const typesOf = async (id: string) => (await eventsOf(id)).map(({ type }) => type).reverse()

  /** Tools listed and one called, by both clients that speak the legacy era, at the endpoint and at its alias. */
  async function callInLegacyEra(id: string, tool: Tool, expected: string): Promise<void> {
    for (const endpoint of endpoints) {
      const [second, first] = await Promise.all([
        connectClient('legacy', target(id, endpoint)),
        connectSdk1Client(target(id, endpoint)),
      ])
      for (const { client } of [second, first]) {
        expect((await client.listTools()).tools.map(({ name }) => name)).to.include(tool.name)
        const { content } = await client.callTool(tool)
        expect(content).to.deep.include({ type: 'text', text: expected })
      }
      await Promise.all([second.close(), first.close()])
    }
  }

  async function callInModernEra(id: string, tool: Tool, expected: string): Promise<void> {
    for (const endpoint of endpoints) {
      const { client, close } = await connectClient('modern', target(id, endpoint))
      expect((await client.listTools()).tools.map(({ name }) => name)).to.include(tool.name)
      expect((await client.callTool(tool)).content).to.deep.include({ type: 'text', text: expected })
      await close()
    }
  }

  /** A session of the legacy era by hand: the stream that GET opens, and the end that DELETE makes. */
  async function openAndEndSession(id: string): Promise<void> {
    const { url, headers } = target(id)
    const send = (method: string, more: Record<string, string>, body?: object) =>
      fetch(url, {
        method,
        headers: {
          ...headers,
          accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
          'content-type': 'application/json',
          ...more,
        },
        ...(body === undefined ? {} : { body: JSON.stringify({ jsonrpc: '2.0', ...body }) }),
      })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'by hand', version: '1' } }
    const opened = await send('POST', {}, { id: 1, method: 'initialize', params })
    await opened.text()
    const session = {
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    expect(session['mcp-session-id']).to.match(/~/)
    await (await send('POST', session, { method: 'notifications/initialized' })).text()

    const stream = await send('GET', session)
    expect(stream.status).to.equal(200)
    expect(stream.headers.get('content-type')).to.match(/^text\/event-stream/)
    const ended = stream.text().catch(() => 'cut off')
    expect((await send('DELETE', session)).status).to.be.oneOf([200, 202, 204])
    await ended
    // MCP says 404; server-everything says 400
    expect((await send('POST', session, { id: 2, method: 'tools/list' })).status).to.be.oneOf([404, 400])
  }

  async function disconnectAndReadWhy(id: string): Promise<void> {
    const { status, body } = await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`)
    expect(status).to.equal(200)
    expect(body).to.include({
      state: 'disconnected',
      disconnect_reason: 'Client request',
      disconnect_code: 'client_request',
    })
    expect(await read(id)).to.include({ state: 'disconnected', disconnect_reason: 'Client request' })
    const { tools } = await listTools(patchbay, id)
    expect(tools.map(({ name }) => name)).to.deep.equal(['connect'])
    expect(tools[0]?.description).to.include('is not connected').and.include('Client request')
    expect((await typesOf(id)).at(-1)).to.equal('connector.disconnected')
  }

  describe('with server-everything, which needs no authorization', () => {
    let upstream: Upstream
    let id: string
    before(async () => {
      upstream = await startServerEverything()
      id = await createConnector(patchbay, upstream.url)
    })
    after(() => upstream.close())

    it('connects at once', async () => {
      const { status, body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
      expect(status).to.equal(200)
      expect(body).to.include({ state: 'connected', auth_request: null, disconnect_reason: null })
    })

    it('lists and calls tools, reads resources and gets prompts', async () => {
      await callInLegacyEra(id, { name: 'echo', arguments: { message: 'hello' } }, 'Echo: hello')
      const { client, close } = await connectClient('legacy', target(id))
      const { resources } = await client.listResources()
      expect(resources.length).to.be.greaterThan(0)
      const read = await client.readResource({ uri: resources[0]?.uri ?? '' })
      expect(read.contents.length).to.be.greaterThan(0)
      const { prompts } = await client.listPrompts()
      const simple = prompts.find((prompt) => !prompt.arguments?.some(({ required }) => required))
      expect((await client.getPrompt({ name: simple?.name ?? '' })).messages.length).to.be.greaterThan(0)
      await close()
    })

    it('opens a stream with GET and ends the session with DELETE', () => openAndEndSession(id))

    it('disconnects, says why, and asks to be connected', () => disconnectAndReadWhy(id))
  })

  describe('with the SDK 1.x example behind its OAuth server, strict about `resource`', () => {
    let upstream: SimpleOAuthUpstream
    let id: string
    before(async () => {
      upstream = await startSdkSimpleOAuth()
      id = await createConnector(patchbay, upstream.url)
    })
    after(() => upstream.close())

    it('connects through its authorization server, whose issuer ends in a slash', async () => {
      expect(upstream.issuer).to.match(/\/$/)
      const page = await authorize(patchbay, id)
      expect(page).to.include({ status: 200, title: 'Authorization Successful' })
      expect(await read(id)).to.include({ state: 'connected', auth_request: null, next_refresh_at: null })
    })

    it('lists and calls tools', () => callInLegacyEra(id, { name: 'greet', arguments: { name: 'Ann' } }, 'Hello, Ann!'))

    it('opens a stream with GET and ends the session with DELETE', () => openAndEndSession(id))

    it('disconnects, says why, and asks to be connected', () => disconnectAndReadWhy(id))
  })

  describe('with a server of the modern era', () => {
    let upstream: Upstream
    let id: string
    before(async () => {
      upstream = await startModernServer()
      id = await createConnector(patchbay, upstream.url)
    })
    after(() => upstream.close())

    it('connects at once', async () => {
      const { body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`)
      expect(body).to.include({ state: 'connected' })
    })

    it('lists and calls tools, with progress', async () => {
      await callInModernEra(id, { name: 'shout', arguments: { text: 'hi' } }, 'HI')
      const { client, close } = await connectClient('modern', target(id))
      const steps: number[] = []
      await client.callTool(
        { name: 'count', arguments: { n: 3 } },
        { onprogress: ({ progress }) => void steps.push(progress) },
      )
      expect(steps).to.deep.equal([1, 2, 3])
      await close()
    })

    it('disconnects, says why, and asks to be connected', () => disconnectAndReadWhy(id))
  })

  describe('with the sandbox', () => {
    let sandbox: Sandbox
    let id: string
    before(async () => {
      sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 300 })
      id = await createConnector(patchbay, sandbox.url)
    })
    after(() => sandbox.close())

    it('connects through its sign-in page', async () => {
      const page = await authorize(patchbay, id, { account: 'Alice' })
      expect(page).to.include({ status: 200, title: 'Authorization Successful' })
      const connector = await read(id)
      expect(connector).to.include({ state: 'connected', auth_request: null })
      expect(connector.next_refresh_at < connector.token_expires_at).to.equal(true)
      expect(await typesOf(id)).to.deep.equal(['connector.created', 'connector.auth_required', 'connector.connected'])
    })

    it('lists and calls tools in both eras, reads resources and gets prompts', async () => {
      const whoami = { name: 'whoami', arguments: {} }
      await callInLegacyEra(id, whoami, 'You are Alice.')
      await callInModernEra(id, whoami, 'You are Alice.')
      for (const era of ['legacy', 'modern'] as const) {
        const { client, close } = await connectClient(era, target(id))
        const { resources } = await client.listResources()
        const { contents } = await client.readResource({ uri: resources[0]?.uri ?? '' })
        expect(contents.length).to.be.greaterThan(0)
        expect((await client.listPrompts()).prompts.length).to.be.greaterThan(0)
        await close()
      }
    })

    it('opens a stream with GET and ends the session with DELETE', () => openAndEndSession(id))

    it('disconnects, says why, and asks to be connected', () => disconnectAndReadWhy(id))

    it('connects again afterwards', async () => {
      expect((await authorize(patchbay, id, { account: 'Bob' })).title).to.equal('Authorization Successful')
      await callInLegacyEra(id, { name: 'whoami', arguments: {} }, 'You are Bob.')
    })
  })

  const queues = [
    { queue: 'in PostgreSQL', start: async (): Promise<RedisServer | undefined> => undefined },
    { queue: 'in Redis', start: (context: Mocha.Context) => startRedis(requireRedis(context)) },
  ]
  for (const { queue, start } of queues) {
    describe(`with a worker process and its queue ${queue}`, () => {
      const tokenTtlSeconds = 6
      let redis: RedisServer | undefined
      let worker: WorkerProcess
      let sandbox: Sandbox
      let upstream: ScriptedOAuth
      before(async function () {
        this.timeout(40_000)
        redis = await start(this)
        ;[sandbox, upstream, worker] = await Promise.all([
          startSandbox({ port: 0, tokenTtlSeconds }),
          startScriptedOAuth({ hasRefreshTokens: false, expiresInSeconds: 1 }),
          startWorker(patchbay, redis === undefined ? {} : { REDIS_URL: redis.url }),
        ])
      })
      after(async () => {
        await worker?.stop()
        await sandbox?.close()
        await upstream?.close()
        await redis?.close()
      })

      it('has each token renewed before it expires, and calls go on', async () => {
        const id = await createConnector(patchbay, sandbox.url)
        await authorize(patchbay, id, { account: 'Alice' })
        const { token_expires_at: firstExpiry } = await read(id)
        const { client, close } = await connectClient('legacy', target(id))
        let calls = 0
        const end = Date.parse(firstExpiry) + 500
        await until(
          'the first token to have run out',
          async () => {
            const { content } = await client.callTool({ name: 'whoami', arguments: {} })
            expect(content).to.deep.include({ type: 'text', text: 'You are Alice.' })
            // a tenth of a second, to leave the worker some of the machine
            await client.callTool({ name: 'slow_count', arguments: { n: 1, pause_ms: 100 } })
            calls += 2
            return Date.now() > end
          },
          4000 * tokenTtlSeconds,
        )
        await close()

        const renewals = (await eventsOf(id)).filter(({ type }) => type === 'connector.refreshed').reverse()
        expect(renewals[0]?.at).to.satisfy((at: string) => at < firstExpiry, 'renewed before the first token ran out')
        // so it was not a relayed call that found the token stale
        const refreshed = () =>
          [...worker.log, ...workersOf(patchbay)]
            .filter(({ msg }) => msg === 'refresh job done')
            .reduce((sum, { refreshed = 0 }) => sum + Number(refreshed), 0)
        await until('the worker to say so', () => refreshed() >= renewals.length)
        const { state, last_error } = await read(id)
        expect({ state, last_error }).to.deep.equal({ state: 'connected', last_error: null })
        console.log(`      ${calls} calls over ${renewals.length} renewals, none failed`)
        await disconnectAndReadWhy(id)
      }).timeout(40_000)

      it('has a grant without refresh token end when it runs out: a person is waited for, with a fresh link', async () => {
        const id = await createConnector(patchbay, upstream.url)
        expect((await authorize(patchbay, id)).title).to.equal('Authorization Successful')
        await until('the worker', async () => (await read(id)).state === 'auth_required')
        const connector = await read(id)
        expect(connector.last_error).to.include({ code: 'access_token_expired', retryable: false })
        expect(connector.auth_request.authorization_endpoint).to.match(/^http:\/\/localhost:\d+\/connect\/[\w-]{43}$/)
        const [latest] = await eventsOf(id)
        expect(latest).to.include({ type: 'connector.auth_required', code: 'access_token_expired' })
        const { refusal } = await callTool(patchbay, id, 'whoami')
        expect(refusal).to.include(connector.auth_request.authorization_endpoint)
      })

      it('ends in order', async () => {
        expect(await worker.stop()).to.equal(0)
      })
    })
  }
})
