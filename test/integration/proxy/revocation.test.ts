import type { ServerResponse } from 'node:http'
import { expect } from 'chai'
import { Agent } from 'undici'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { createTestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'
import { type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../../support/upstreams/serve-mcp.ts'

/** Two real processes over one database: what one is told, the other must act upon. */
describe('what takes away the right to call', function () {
  this.timeout(60_000)
  let here: Patchbay
  let there: ServerProcess
  let upstream: ScriptedUpstream
  let open: ServerResponse[]
  let agent: Agent
  let count = 0
  const clock = createTestClock()

  before(async () => {
    here = await startPatchbay({ clock })
    there = await startServerProcess(here)
  })
  after(async () => {
    await there.kill()
    await here.close()
  })
  beforeEach(async () => {
    open = []
    agent = new Agent({ bodyTimeout: 0 })
    upstream = await startScriptedUpstream((request) => {
      if (request.method !== 'GET') return serveMcp(request)
      return (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
        open.push(response)
      }
    })
  })
  afterEach(async () => {
    await agent.destroy()
    await upstream.close()
  })

  async function newCaller() {
    count += 1
    const subject = `caller-${count}`
    const key = await here.createKey({ subject })
    const id = await createConnector(here, upstream.url, { key })
    const connected = await here.request('POST', `/api/v1/connectors/${id}/connect`, { key, body: {} })
    expect(connected.body.state).to.equal('connected')
    return { subject, key, id }
  }
  type Who = Awaited<ReturnType<typeof newCaller>>

  const headers = ({ key }: Who) => ({
    authorization: `Bearer ${key}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  })
  /** What a call is answered: 'passed' for the upstream's own word. */
  async function call(origin: string, who: Who): Promise<string> {
    const { statusCode, body } = await agent.request({
      origin,
      path: `/connectors/${who.id}/mcp`,
      method: 'POST',
      headers: headers(who),
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'nothing' }),
    })
    const text = await body.text()
    if (statusCode !== 200) return String(statusCode)
    return JSON.parse(text).error.code === -32601 ? 'passed' : 'prompt'
  }
  async function openStream(origin: string, who: Who) {
    const { body } = await agent.request({
      origin,
      path: `/connectors/${who.id}/mcp`,
      method: 'GET',
      headers: headers(who),
    })
    const state = { text: '', end: null as 'clean' | 'broken' | null }
    body.on('data', (chunk: Buffer) => {
      state.text += chunk.toString('utf8')
    })
    body.on('end', () => {
      state.end = 'clean'
    })
    body.on('error', () => {
      state.end ??= 'broken'
    })
    await until('the first event', () => state.text.includes('first'))
    return state
  }
  const keyIdOf = async ({ subject }: Who) => {
    const { id } = await here.app.access.ensureTenant('default', '')
    const keys = await here.app.access.listApiKeys(id)
    return { tenantId: id, keyId: keys.find((key) => key.label === subject)?.id ?? '' }
  }
  const revokeKey = async (who: Who) => {
    const { tenantId, keyId } = await keyIdOf(who)
    expect(await here.app.access.revokeApiKey(tenantId, keyId, new Date())).to.equal(true)
  }
  const path = ({ id }: Who) => `/api/v1/connectors/${id}`

  const actions: Record<string, { act: (who: Who) => Promise<unknown>; answer: string }> = {
    'the revocation of a key': { act: revokeKey, answer: '401' },
    'a disconnect': {
      act: (who) => here.request('POST', `${path(who)}/disconnect`, { key: who.key }),
      answer: 'prompt',
    },
    'the deletion of a connector': { act: (who) => here.request('DELETE', path(who), { key: who.key }), answer: '404' },
    'the disabling of a connector': {
      act: (who) => here.request('PATCH', path(who), { key: who.key, body: { enabled: false } }),
      answer: '403',
    },
    'a new URL of a connector': {
      act: (who) => here.request('PATCH', path(who), { key: who.key, body: { url: `${upstream.url}?new` } }),
      answer: 'prompt',
    },
  }
  for (const [what, { act, answer }] of Object.entries(actions)) {
    // @guards src/storage/notifications.ts:createNotifications
    it(`TK-05: ${what} takes effect in every process at once, and ends open streams between two events`, async () => {
      const [who, other] = [await newCaller(), await newCaller()]
      for (const origin of [here.url, there.url]) {
        expect(await call(origin, who), 'the call before').to.equal('passed')
        expect(await call(origin, other)).to.equal('passed')
      }
      const streams = [await openStream(here.url, who), await openStream(there.url, who)]
      const others = [await openStream(here.url, other), await openStream(there.url, other)]

      const startedAt = performance.now()
      await act(who)
      const tookMs: number[] = []
      for (const origin of [here.url, there.url]) {
        await until('the call to be refused', async () => (await call(origin, who)) !== 'passed', 1000)
        tookMs.push(Math.round(performance.now() - startedAt))
        expect(await call(origin, who)).to.equal(answer)
      }
      await until('the streams to end', () => streams.every(({ end }) => end !== null), 5000)
      const streamsMs = Math.round(performance.now() - startedAt)
      expect(streams.map(({ end, text }) => [end, text])).to.deep.equal(Array(2).fill(['clean', 'data: first\n\n']))
      console.log(`      refused after ${tookMs.join(' and ')} ms, streams over after ${streamsMs} ms`)

      for (const response of open) response.write('data: second\n\n')
      await until('the second event of others', () => others.every(({ text }) => text.includes('second')))
      expect(
        others.map(({ end }) => end),
        'the streams of others',
      ).to.deep.equal([null, null])
      expect(await call(there.url, other)).to.equal('passed')
    })
  }

  it('TK-05: waits for the end of an event, and cuts what does not end in time', async () => {
    const who = await newCaller()
    const [ending, hanging] = [await openStream(there.url, who), await openStream(there.url, who)]
    for (const response of open) response.write('data: in tw')
    await until('the first half', () => [ending, hanging].every(({ text }) => text.endsWith('in tw')))
    await revokeKey(who)
    await until('the key to be refused', async () => (await call(there.url, who)) === '401', 1000)
    open[0]?.write('o pieces\n\n')
    await until('the streams to end', () => ending.end !== null && hanging.end !== null, 5000)
    expect([ending.end, ending.text]).to.deep.equal(['clean', 'data: first\n\ndata: in two pieces\n\n'])
    expect([hanging.end, hanging.text]).to.deep.equal(['broken', 'data: first\n\ndata: in tw'])
  })

  it('TK-05: finds out what it did not hear while it could not listen', async () => {
    const who = await newCaller()
    const stream = await openStream(there.url, who)
    const { keyId } = await keyIdOf(who)
    // this process is cut off as well; what comes after this test wants it to hear again
    let timesLive = 0
    const leave = here.app.changes.subscribe({
      onChange: () => {},
      onLost: () => {},
      onLive: () => {
        timesLive += 1
      },
    })
    await until('this process to hear', () => timesLive === 1)
    await withConnection(here.databaseUrl, async (client) => {
      // nobody who is cut off hears of it
      await client.query(`ALTER TABLE api_keys DISABLE TRIGGER USER`)
      await client.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [keyId])
      await client.query(`ALTER TABLE api_keys ENABLE TRIGGER USER`)
      await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'patchbay-listen' AND datname = current_database()`)
    })
    await until('the key to be refused', async () => (await call(there.url, who)) === '401', 1000)
    await until('the stream to end', () => stream.end !== null, 5000)
    expect(stream.end).to.equal('clean')
    await until('this process to hear again', () => timesLive === 2)
    leave()
  })

  it('negative control: without announcements a key lives on for as long as it is remembered, and no longer', async () => {
    const who = await newCaller()
    const { keyId } = await keyIdOf(who)
    await withConnection(here.databaseUrl, async (client) => {
      await client.query(`ALTER TABLE api_keys DISABLE TRIGGER USER`)
      expect(await call(here.url, who)).to.equal('passed')
      await client.query('UPDATE api_keys SET revoked_at = now() WHERE id = $1', [keyId])
      expect(await call(here.url, who)).to.equal('passed')
      await client.query(`ALTER TABLE api_keys ENABLE TRIGGER USER`)
    })
    clock.advance(300_000)
    expect(await call(here.url, who)).to.equal('401')
  })
})
