import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createTestClock } from '../support/test-clock.ts'
import { until } from '../support/until.ts'
import { connectClient } from '../support/upstreams/mcp-clients.ts'
import { respond, type ScriptedUpstream, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'

type Line = {
  connector_id?: string | null
  method?: string
  tool?: string
  principal?: { subject: string; kind: string }
  client?: string
  outcome?: string
  time?: string
  calls: number
  failed: number
  latency_ms: { mean: number; p50: number; p90: number; p99: number } | null
}

/** Answers every JSON-RPC request, with a session that `initialize` opens. */
const answering: Parameters<ScriptedUpstream['script']>[0] = ({ method, body }) => {
  if (method === 'DELETE') return respond(200, '')
  const { id, method: asked, params } = JSON.parse(body || '{}')
  if (params?.name === 'broken') return respond(503, 'no')
  if (id === undefined) return respond(202, '')
  const result =
    asked === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }
      : asked === 'tools/list'
        ? { tools: [] }
        : { content: [{ type: 'text', text: 'done' }] }
  const headers = { 'content-type': 'application/json', ...(asked === 'initialize' ? { 'mcp-session-id': 's1' } : {}) }
  return respond(200, JSON.stringify({ jsonrpc: '2.0', id, result }), headers)
}

describe('GET /analytics', function () {
  this.timeout(60_000)
  const clock = createTestClock()
  let upstream: ScriptedUpstream
  let bay: Patchbay
  let connectorId: string
  before(async () => {
    upstream = await startScriptedUpstream(answering)
    bay = await startPatchbay({ clock })
    connectorId = await createConnector(bay, upstream.url, { credential_scope: 'tenant' })
    const connected = await bay.request('POST', `/api/v1/connectors/${connectorId}/connect`, { body: {} })
    expect(connected.body.state).to.equal('connected')
  })
  after(async () => {
    await bay.close()
    await upstream.close()
  })

  async function call(name: string, { key, path = connectorId }: { key?: string | null; path?: string } = {}) {
    return bay.request('POST', `/connectors/${path}/mcp`, {
      ...(key === undefined ? {} : { key }),
      headers: { accept: 'application/json, text/event-stream' },
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } },
    })
  }
  async function ask(query: string, key?: string): Promise<Line[]> {
    await bay.app.storeCallCounts()
    const answer = await bay.request('GET', `/api/v1/analytics?${query}`, key === undefined ? {} : { key })
    expect(answer.status, answer.text).to.equal(200)
    return answer.body.items
  }
  /** A call is counted when its answer has left, which its caller may see a moment before. */
  const whenCounted = (query: string, calls: number) =>
    until(`${calls} calls of ${query}`, async () => {
      const lines = await ask(query)
      return lines.reduce((sum, line) => sum + line.calls, 0) === calls
    })

  it('counts calls by tool, person, client and outcome, with how long they took', async () => {
    const alice = await bay.createKey({ subject: 'alice' })
    const { client, close } = await connectClient('legacy', {
      url: `${bay.url}/connectors/${connectorId}/mcp`,
      headers: { authorization: `Bearer ${alice}` },
    })
    for (const name of ['search', 'search', 'send']) await client.callTool({ name })
    await close()
    await call('search')
    await call('broken')
    await whenCounted('group_by=tool', 5)

    expect((await ask('group_by=tool')).map(({ tool, calls, failed }) => [tool, calls, failed])).to.deep.equal([
      ['search', 3, 0],
      ['broken', 1, 1],
      ['send', 1, 0],
    ])
    const people = await ask('group_by=principal,tool&method=tools/call')
    expect(
      people.map(({ principal, tool, calls }) => [principal?.subject, principal?.kind, tool, calls]),
    ).to.deep.include(['alice', 'user', 'search', 2])
    const outcomes = await ask('group_by=outcome&method=tools/call')
    expect(outcomes.map(({ outcome, calls }) => [outcome, calls])).to.deep.equal([
      ['ok', 4],
      ['upstream', 1],
    ])
    // the client said its name once, in initialize; whoever calls by hand never does
    const clients = await ask('group_by=client&tool=search')
    expect(clients.map(({ calls }) => calls)).to.deep.equal([2, 1])
    expect(clients[0]?.client).to.match(/\S+ \d/)
    expect(clients[1]?.client).to.equal('')
    const [whole] = await ask(`connector_id=${connectorId}`)
    expect(whole).to.deep.include({ connector_id: connectorId })
    expect(whole?.latency_ms?.p50).to.be.greaterThan(0)
    expect(whole?.latency_ms?.p99).to.be.at.least(whole?.latency_ms?.p50 ?? Number.NaN)
  })

  it('says where a call failed', async () => {
    const outcomeOf = async (act: () => Promise<unknown>, query = '') => {
      const before = await ask(`group_by=outcome${query}`)
      await act()
      let after: Line[] = []
      const changed = () =>
        after.find((line) => line.calls > (before.find(({ outcome }) => outcome === line.outcome)?.calls ?? 0))
      await until('another call to be counted', async () => {
        after = await ask(`group_by=outcome${query}`)
        return changed() !== undefined
      })
      return changed()?.outcome
    }
    const reader = await bay.createKey({ subject: 'reader', scopes: ['connectors:read'] })
    expect(await outcomeOf(() => call('search', { key: reader }))).to.equal('authorization')
    const nobodys = '01900000-0000-7000-8000-000000000000'
    expect(await outcomeOf(() => call('search', { path: nobodys }))).to.equal('invalid')
    const big = { key: bay.admin, body: 'x'.repeat(5_000_000) }
    expect(await outcomeOf(() => bay.request('POST', `/connectors/${connectorId}/mcp`, big))).to.equal('limit')

    let isReached = false
    upstream.script(() => () => {
      isReached = true
    })
    const hangUp = async () => {
      const leaving = new AbortController()
      const calling = fetch(`${bay.url}/connectors/${connectorId}/mcp`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bay.admin}`, 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow' } }),
        signal: leaving.signal,
      }).catch(() => {})
      await until('the upstream to be asked', () => isReached)
      leaving.abort()
      await calling
    }
    expect(await outcomeOf(hangUp, '&tool=slow')).to.equal('client_gone')
    // an answer that breaks off in the middle of an event stream
    upstream.script(() => (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"jsonrpc"')
      setTimeout(() => response.destroy(), 50)
    })
    expect(await outcomeOf(() => call('cut').catch(() => {}), '&tool=cut')).to.equal('upstream')
    upstream.script(answering)
  })

  it('tells hours apart, and answers for the time that was asked for', async () => {
    const before = await ask('group_by=hour')
    clock.advance(2 * 3_600_000)
    await call('later')
    await whenCounted('group_by=hour&tool=later', 1)
    const hours = await ask('group_by=hour')
    expect(hours).to.have.length(before.length + 1)
    const last = hours.at(-1)?.time ?? ''
    expect(last).to.match(/T\d\d:00:00.000Z$/)
    expect((await ask(`group_by=tool&from=${last}`)).map(({ tool }) => tool)).to.deep.equal(['later'])
    expect((await ask(`group_by=tool&to=${last}`)).map(({ tool }) => tool)).not.to.include('later')
  })

  it('asks for the scope, and refuses what makes no sense', async () => {
    const status = async (query: string, key = bay.admin) =>
      (await bay.request('GET', `/api/v1/analytics${query}`, { key })).status
    expect(await status('', await bay.createKey({ subject: 'member' }))).to.equal(403)
    const analyst = await bay.createKey({ subject: 'analyst', role: 'admin', scopes: ['analytics'] })
    expect(await status('', analyst)).to.equal(200)
    expect((await bay.request('GET', '/api/v1/connectors', { key: analyst })).status).to.equal(403)
    for (const query of [
      '?group_by=nothing',
      '?group_by=tool,tool',
      '?group_by=hour,day',
      '?limit=0',
      '?limit=1001',
      '?from=yesterday',
      '?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z',
      '?outcome[not]=ok',
      '?unknown=1',
    ]) {
      expect(await status(query), query).to.equal(400)
    }
  })

  // @guards src/storage/call-count-store.ts:createPostgresCallCountStore
  it('TN-01: shows nothing of another tenant', async () => {
    const foreign = await bay.createKey({ subject: 'admin', role: 'admin', tenant: 'elsewhere' })
    expect(await ask('group_by=tool', foreign)).to.deep.equal([])
    expect(await ask(`connector_id=${connectorId}`, foreign)).to.deep.equal([])
    // the control: there is something to see
    expect(await ask(`connector_id=${connectorId}`)).to.have.length(1)
  })

  it('stores what is left at the end of a process', async () => {
    const other = await startPatchbay({ sharing: bay })
    await other.request('POST', `/connectors/${connectorId}/mcp`, {
      key: bay.admin,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'farewell', arguments: {} } },
    })
    await other.close()
    expect((await ask('group_by=tool&tool=farewell')).map(({ calls }) => calls)).to.deep.equal([1])
  })

  it('keeps nothing when it is told to', async () => {
    const other = await startPatchbay({ sharing: bay, env: { ANALYTICS_KEPT_DAYS: '0' } })
    await other.request('POST', `/connectors/${connectorId}/mcp`, {
      key: bay.admin,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'unkept', arguments: {} } },
    })
    await other.close()
    expect(await ask('group_by=tool&tool=unkept')).to.deep.equal([])
    const text = (await other.app.metrics.render()).text
    expect(text).to.include('patchbay_mcp_calls_total{method="tools/call",outcome="ok"} 1')
  })

  it('adds up what several processes store at once', async () => {
    const others = await Promise.all(
      [1, 2, 3].map(() => startPatchbay({ sharing: bay, clock, env: { MCP_RATE_LIMIT: '0' } })),
    )
    const all = [bay, ...others]
    await Promise.all(
      all.flatMap(({ url }) =>
        Array.from({ length: 20 }, async (_, index) => {
          const answer = await fetch(`${url}/connectors/${connectorId}/mcp`, {
            method: 'POST',
            headers: { authorization: `Bearer ${bay.admin}`, 'content-type': 'application/json' },
            body: JSON.stringify({
              jsonrpc: '2.0',
              id: 1,
              method: 'tools/call',
              params: { name: `raced ${index % 4}` },
            }),
          })
          await answer.text()
        }),
      ),
    )
    await Promise.all(all.map(({ app }) => app.storeCallCounts()))
    await Promise.all(others.map((other) => other.close()))
    await whenCounted('group_by=tool&tool=raced 0', 20)
    const lines = (await ask('group_by=tool')).filter(({ tool }) => tool?.startsWith('raced'))
    expect(lines.map(({ calls }) => calls)).to.deep.equal([20, 20, 20, 20])
    const rows = await withConnection(bay.databaseUrl, (client) =>
      client.query("SELECT latency, calls FROM call_counts WHERE tool LIKE 'raced%'"),
    )
    expect(rows.rows).to.have.length(4)
    for (const { latency, calls } of rows.rows as { latency: number[]; calls: number }[]) {
      expect(latency).to.have.length(15)
      expect(latency.reduce((sum, count) => sum + count, 0)).to.equal(calls)
    }
  })
})
