import { expect } from 'chai'
import { Agent } from 'undici'
import type { ProxyLimits } from '../../../src/proxy/limits.ts'
import { createConnector } from '../../support/connecting.ts'
import { startPatchbay } from '../../support/patchbay.ts'
import { startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import {
  closeSocket,
  hangAfterHeaders,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../../support/upstreams/serve-mcp.ts'
import { bearer, type Caller, createCaller, type StartedEndpoint, startEndpoint } from './start-endpoint.ts'

const eventStream = { 'content-type': 'text/event-stream' }

describe('MCP endpoint, when too much is asked', () => {
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller

  const start = async (limits: Partial<ProxyLimits>): Promise<void> => {
    started = await startEndpoint({ upstreamUrl: upstream.url, limits })
    caller = createCaller(started)
  }
  beforeEach(async () => {
    upstream = await startScriptedUpstream((request) =>
      request.method === 'GET' ? hangAfterHeaders(eventStream) : respondResult({}),
    )
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })
  const openStream = async (name: 'alice' | 'bob' = 'alice') =>
    (await caller.open({ method: 'GET', headers: bearer(name) })).body

  // @guards src/proxy/admission.ts:createAdmission
  it('PX-17: bounds what one caller has under way at a connector, and leaves others alone', async () => {
    await start({ callsPerCaller: 3 })
    const streams = [await openStream(), await openStream(), await openStream()]
    for (const method of ['GET', 'POST']) {
      const refused = await caller.call({ method })
      expect(refused.status, method).to.equal(429)
      expect(refused.headers['retry-after']).to.equal('5')
      expect(JSON.parse(refused.body)).to.include({ code: 'too_many_calls', status: 429 })
    }
    expect(upstream.received, 'nothing of it went upstream').to.have.length(3)
    expect((await caller.call({ headers: bearer('bob') })).status).to.equal(200)
    streams[0]?.on('error', () => {}).destroy()
    await until('the place to be free', async () => (await caller.call()).status === 200)
  })

  it('PX-17: answers at once when no socket to an upstream is free, in place of waiting for one', async () => {
    await start({ callsPerUpstream: 2 })
    await openStream()
    await openStream('bob')
    const refused = await caller.call()
    expect([refused.status, refused.headers['retry-after']]).to.deep.equal([503, '5'])
    expect(JSON.parse(refused.body).code).to.equal('overloaded')
  })

  it('PX-17: bounds how often one principal calls, and says when to come back', async () => {
    await start({ callsPerSecond: 1 })
    const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await caller.call()).status))
    expect(statuses.filter((status) => status === 200)).to.have.length(10)
    const refused = await caller.call()
    expect(refused.status).to.equal(429)
    expect(Number(refused.headers['retry-after'])).to.be.within(1, 10)
    expect((await caller.call({ headers: bearer('bob') })).status).to.equal(200)
  })

  it('PX-17: gives every place back, however a call ends', async () => {
    await start({ callsPerCaller: 4, callsPerUpstream: 4, callsPerSecond: 0 })
    for (let round = 0; round < 5; round += 1) {
      const abort = new AbortController()
      const hanging = caller.open({ method: 'GET', signal: abort.signal })
      await Promise.all([hanging, caller.call(), caller.call()])
      abort.abort()
      await until('the end of it', () => started.inFlight() === 0)
    }
    upstream.script(closeSocket)
    for (let round = 0; round < 10; round += 1) expect((await caller.call()).status).to.equal(502)
  })
})

describe('a server with few file descriptors', function () {
  this.timeout(60_000)

  it('REL-25: refuses what it has no socket for, and recovers', async () => {
    const patchbay = await startPatchbay()
    const upstream = await startScriptedUpstream((request) =>
      request.method === 'GET' ? hangAfterHeaders(eventStream) : serveMcp(request),
    )
    const server = await startServerProcess(patchbay, { shellPrefix: 'ulimit -n 160 &&' })
    const agent = new Agent({ bodyTimeout: 0, headersTimeout: 8000, connections: 200 })
    try {
      const key = await patchbay.createKey({ subject: 'ann' })
      const id = await createConnector(patchbay, upstream.url, { key })
      await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { key, body: {} })
      const ask = async (method: 'GET' | 'POST') => {
        const answer = await agent.request({
          origin: server.url,
          path: `/connectors/${id}/mcp`,
          method,
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: method === 'GET' ? null : JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'nothing' }),
        })
        if (method === 'POST' || answer.statusCode !== 200) await answer.body.dump()
        return answer
      }
      expect((await ask('POST')).statusCode).to.equal(200)
      const opened = await Promise.allSettled(Array.from({ length: 120 }, () => ask('GET')))
      const statuses = opened.map((it) => (it.status === 'fulfilled' ? it.value.statusCode : 'no connection'))
      expect(new Set(statuses)).to.include(200)
      const refused = statuses.filter((status) => status !== 200)
      expect(refused.length, 'negative control: they do run out').to.be.greaterThan(0)
      expect(refused.every((status) => status === 503 || status === 'no connection')).to.equal(true)
      for (const it of opened) if (it.status === 'fulfilled') it.value.body.on('error', () => {}).destroy()
      await until('the server to recover', async () => (await ask('POST').catch(() => null))?.statusCode === 200)
      expect(server.child.exitCode).to.equal(null)
    } finally {
      await agent.destroy()
      await server.kill()
      await upstream.close()
      await patchbay.close()
    }
  })
})
