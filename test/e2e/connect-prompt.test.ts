import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type ElicitRequest, McpError, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'chai'
import { request } from 'undici'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { createConnector, followLink } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'

const identity = { name: 'host', version: '1.0.0' }
const linkPattern = /http:\/\/localhost:\d+\/connect\/[\w-]{43}/
const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''
const linkIn = (text: string): string => linkPattern.exec(text)?.[0] ?? expect.fail(`no link in: ${text}`)

describe('a host comes to a connector that nobody has connected', function () {
  this.timeout(60_000)
  /** Two processes' worth of Patchbay on one database: a person's browser and a host need not meet the same one. */
  let one: Patchbay
  let other: Patchbay
  let sandbox: Sandbox

  before(async () => {
    ;[one, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 300 })])
    other = await startPatchbay({ sharing: one, env: { PUBLIC_URL: one.url } })
  })
  after(async () => {
    await other?.close()
    await one?.close()
    await sandbox?.close()
  })

  let count = 0
  /** A person, and a connector of which each has a connection of their own. */
  async function newcomer() {
    count += 1
    const key = await one.createKey({ subject: `person-${count}` })
    const id = await createConnector(one, sandbox.url, { key, label: `c${count}`, metadata: { name: 'Toolbox' } })
    const authorization = `Bearer ${key}`
    const at = (patchbay: Patchbay, path = `/connectors/${id}/mcp`) =>
      new URL(path, `http://localhost:${patchbay.settings.PORT}`)
    return { id, key, authorization, at, headers: { authorization, host: new URL(one.url).host } }
  }

  it('SDK 1.x, as most hosts: reads the link, hears of the tools, begins anew and calls them', async () => {
    const { at, authorization } = await newcomer()
    const init = { requestInit: { headers: { authorization } } }
    const client = new Sdk1Client(identity)
    let changes = 0
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      changes += 1
    })
    const transport = new Sdk1Transport(at(one), init)
    await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
    expect(client.getServerVersion()?.name).to.equal('Toolbox')
    expect(client.getInstructions()).to.include('Call the tool "connect"')
    expect((await client.listTools()).tools.map(({ name }) => name)).to.deep.equal(['connect'])

    const link = linkIn(textOf(await client.callTool({ name: 'connect', arguments: {} })))
    expect((await followLink(link)).title).to.equal('Authorization Successful')
    await until('the session hears that its tools have changed', () => changes === 1)
    const refusal = await client.listTools().catch((error: Error) => error)
    expect(refusal).to.be.instanceOf(Error).with.property('code', 404)
    await client.close()

    const again = new Sdk1Client(identity)
    await again.connect(new Sdk1Transport(at(one), init) as Parameters<Sdk1Client['connect']>[0])
    expect((await again.listTools()).tools.map(({ name }) => name)).to.include('whoami')
    expect(textOf(await again.callTool({ name: 'whoami', arguments: {} }))).to.equal('You are Alice.')
    await again.close()
  })

  it('SDK 1.x that opens links: gets -32042, and hears when that is done', async () => {
    const { at, authorization } = await newcomer()
    const client = new Sdk1Client(identity, { capabilities: { elicitation: { url: {} } } })
    const completed: unknown[] = []
    client.fallbackNotificationHandler = async ({ method, params }) => {
      if (method === 'notifications/elicitation/complete') completed.push(params?.elicitationId)
    }
    const transport = new Sdk1Transport(at(one), { requestInit: { headers: { authorization } } })
    await client.connect(transport as Parameters<Sdk1Client['connect']>[0])
    const failure = await client.callTool({ name: 'connect', arguments: {} }).catch((error: unknown) => error)
    expect(failure).to.be.instanceOf(McpError).with.property('code', -32042)
    const { elicitations } = (failure as McpError).data as { elicitations: ElicitRequest['params'][] }
    const [elicitation] = elicitations as { url: string; elicitationId: string }[]
    await followLink(elicitation?.url ?? '')
    await until('the end of the elicitation is told', () => completed.length === 1)
    expect(completed).to.deep.equal([elicitation?.elicitationId])
    await client.close()
  })

  it('SDK 2.x of the modern era that opens links: the very call goes on once the person is done', async () => {
    const { at, authorization } = await newcomer()
    const client = new Client(identity, {
      versionNegotiation: { mode: { pin: '2026-07-28' } },
      capabilities: { elicitation: { url: {} } },
    })
    const asked: string[] = []
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      asked.push('url' in params ? String(params.url) : 'no url')
      void followLink(asked[0] ?? '')
      return { action: 'accept' }
    })
    await client.connect(new StreamableHTTPClientTransport(at(one), { requestInit: { headers: { authorization } } }))
    expect((await client.listTools()).tools.map(({ name }) => name)).to.deep.equal(['connect'])
    expect(textOf(await client.callTool({ name: 'whoami', arguments: {} }))).to.equal('You are Alice.')
    expect(asked).to.have.length(1)
    expect(asked[0]).to.match(linkPattern)
    expect((await client.listTools()).tools.map(({ name }) => name)).to.include('whoami')
    await client.close()
  })

  it('SDK 2.x of both eras that opens nothing: reads the link, and finds the tools afterwards', async () => {
    const { at, authorization } = await newcomer()
    const init = { requestInit: { headers: { authorization } } }
    const client = new Client(identity, { versionNegotiation: { mode: 'auto' } })
    await client.connect(new StreamableHTTPClientTransport(at(one), init))
    expect(client.getNegotiatedProtocolVersion()).to.equal('2026-07-28')
    await followLink(linkIn(textOf(await client.callTool({ name: 'connect', arguments: {} }))))
    expect((await client.listTools()).tools.map(({ name }) => name)).to.include('whoami')
    await client.close()
  })

  it('works over two processes: a session of the one is known to the other, whose stream hears of it', async () => {
    const { at, headers } = await newcomer()
    const post = (patchbay: Patchbay, body: object, more: object = {}) =>
      request(at(patchbay), {
        method: 'POST',
        headers: {
          ...headers,
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          ...more,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
      })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: identity }
    const session = {
      'mcp-session-id': String((await post(one, { method: 'initialize', params })).headers['mcp-session-id']),
    }
    const list = await (await post(other, { method: 'tools/list' }, session)).body.json()
    expect(JSON.stringify(list)).to.include('"connect"')

    const stream = await request(at(other), { headers: { ...headers, ...session, accept: 'text/event-stream' } })
    expect(stream.statusCode).to.equal(200)
    const call = { method: 'tools/call', params: { name: 'connect', arguments: {} } }
    const link = linkIn(JSON.stringify(await (await post(other, call, session)).body.json()))
    await followLink(link)
    expect(await stream.body.text()).to.include('notifications/tools/list_changed')
    await until('both know the session no more', async () => {
      const answers = await Promise.all([one, other].map((each) => post(each, { method: 'tools/list' }, session)))
      await Promise.all(answers.map(({ body }) => body.dump()))
      return answers.every(({ statusCode }) => statusCode === 404)
    })
  })

  it('says to a member who may not connect whom to ask, and gives no link', async () => {
    const id = await createConnector(one, sandbox.url, { label: 'shared', credential_scope: 'tenant' })
    const key = await one.createKey({ subject: 'visitor' })
    const client = new Client(identity, { versionNegotiation: { mode: 'legacy' } })
    const init = { requestInit: { headers: { authorization: `Bearer ${key}` } } }
    await client.connect(new StreamableHTTPClientTransport(new URL(`/connectors/${id}/mcp`, one.url), init))
    const result = await client.callTool({ name: 'connect', arguments: {} })
    expect(result.isError).to.equal(true)
    expect(textOf(result)).to.match(/Ask an administrator to connect it\.$/)
    expect(textOf(result)).not.to.match(linkPattern)
    await client.close()
  })
})
