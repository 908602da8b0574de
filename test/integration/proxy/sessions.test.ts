import { expect } from 'chai'
import {
  respond,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import {
  bearer,
  type Caller,
  createCaller,
  type StartedEndpoint,
  startEndpoint,
  targetOf,
  usable,
} from './start-endpoint.ts'

const upstreamId = 'session-7~x.y'

function initialize(capabilities: unknown): string {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'c', version: '1' } }
  return JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params })
}

describe('MCP endpoint, sessions', () => {
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller
  let connectionId = 'connection'

  before(async () => {
    upstream = await startScriptedUpstream(() => respondResult({}, { 'mcp-session-id': upstreamId }))
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => usable(targetOf(upstream.url, { connectionId })),
    })
    caller = createCaller(started)
  })
  beforeEach(() => {
    connectionId = 'connection'
  })
  after(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  async function begin(capabilities: unknown = {}): Promise<string> {
    const { headers } = await caller.call({ body: initialize(capabilities) })
    return String(headers['mcp-session-id'])
  }

  it('binds the upstream’s id and sends it back to the upstream as it was', async () => {
    const id = await begin()
    expect(id).to.match(/^session-7~x\.y~-\.[\w-]{22}$/)
    const answer = await caller.call({ headers: { 'mcp-session-id': id } })
    expect(upstream.received.at(-1)?.headers['mcp-session-id']).to.equal(upstreamId)
    expect(answer.headers['mcp-session-id'], 'the caller knows one id only').to.equal(id)
  })

  it('notes in the id that the client can open links', async () => {
    expect(await begin({ elicitation: { url: {} } })).to.include('~e.')
    expect(await begin({ elicitation: { form: {} } })).to.include('~-.')
    expect(await begin({ elicitation: 'x' })).to.include('~-.')
  })

  for (const method of ['POST', 'GET', 'DELETE']) {
    it(`PX-13: ${method} with somebody else’s session is answered 404, without asking the upstream`, async () => {
      const id = await begin()
      const before = upstream.received.length
      const answer = await caller.call({ method, headers: { ...bearer('bob'), 'mcp-session-id': id } })
      expect(answer.status).to.equal(404)
      expect(upstream.received.length).to.equal(before)
      const own = await caller.call({ method: 'POST', headers: { 'mcp-session-id': id } })
      expect(own.status, 'control').to.equal(200)
    })
  }

  it('PX-13: a session of another connection, an altered one, and the upstream’s bare id are answered 404', async () => {
    const id = await begin()
    for (const altered of [upstreamId, id.slice(0, -1), id.replace('session-7', 'session-8'), 'x'.repeat(4000)]) {
      expect((await caller.call({ headers: { 'mcp-session-id': altered } })).status, altered).to.equal(404)
    }
    connectionId = 'another'
    expect((await caller.call({ headers: { 'mcp-session-id': id } })).status).to.equal(404)
  })

  it('PX-13: no session id is logged', async () => {
    const id = await begin()
    await caller.call({ headers: { 'mcp-session-id': id } })
    await caller.call({ headers: { ...bearer('bob'), 'mcp-session-id': id } })
    expect(JSON.stringify(started.log)).not.to.include('session-7')
  })

  // @guards src/proxy/answer-plan.ts:planAnswer
  it('REL-24: the 404 of an upstream that forgot the session passes as 404', async () => {
    const id = await begin()
    const body = '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}'
    upstream.script(() => respond(404, body, { 'content-type': 'application/json' }))
    const answer = await caller.call({ headers: { 'mcp-session-id': id } })
    expect(answer).to.include({ status: 404, body })
  })
})
