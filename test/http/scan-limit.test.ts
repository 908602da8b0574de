import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { createGate } from '../support/gate.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createTestClock, type TestClock } from '../support/test-clock.ts'
import { until } from '../support/until.ts'
import { answerRpc } from '../support/upstreams/quirky-oauth.ts'
import { respond, type ScriptedUpstream, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'

describe('limits of connect and doctor', () => {
  let patchbay: Patchbay
  let clock: TestClock
  let upstream: ScriptedUpstream
  let key: string
  let count = 0

  before(async () => {
    clock = createTestClock()
    upstream = await startScriptedUpstream(() => respond(404))
    patchbay = await startPatchbay({
      clock,
      env: { FAILED_CONNECTS_PER_MINUTE: '3' },
    })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })
  beforeEach(async () => {
    count += 1
    key = await patchbay.createKey({ subject: `person ${count}` })
  })

  const diagnose = (url: string, as = key) => patchbay.request('POST', '/api/v1/doctor', { key: as, body: { url } })
  const connect = async (url: string) => {
    const id = await createConnector(patchbay, url, { key, label: String(Math.random()) })
    return patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { key, body: {} })
  }
  const elsewhere = (index: number) => `${upstream.origin}/nothing-${count}-${index}`

  // @guards src/access/scan-limit.ts:requireBelow
  it('SS-11: who names ever new servers that are none has to wait, with connect and doctor alike', async () => {
    for (let index = 0; index < 2; index += 1) expect((await connect(elsewhere(index))).status).to.equal(502)
    expect((await diagnose(elsewhere(2))).body.verdict).to.equal('upstream_error')
    const asked = upstream.received.length

    const answers = [await connect(elsewhere(3)), await diagnose(elsewhere(4))]

    for (const { status, body, headers } of answers) {
      expect([status, body.code]).to.deep.equal([429, 'rate_limited'])
      expect(Number(headers.get('retry-after'))).to.be.within(1, 60)
    }
    expect(upstream.received.length, 'nobody was asked').to.equal(asked)
    const other = await patchbay.createKey({ subject: `other ${count}` })
    expect((await diagnose(elsewhere(5), other)).status, 'others go on').to.equal(200)
    clock.advance(61_000)
    expect((await diagnose(elsewhere(6))).status, 'and so does this one, in a minute').to.equal(200)
  })

  it('SS-11: waits an hour after ten times as many', async () => {
    const statuses: number[] = []
    for (let index = 0; index < 31; index += 1) {
      clock.advance(21_000)
      statuses.push((await diagnose(elsewhere(index))).status)
    }
    expect(statuses).to.deep.equal([...Array(30).fill(200), 429])
    clock.advance(3_600_000)
    expect((await diagnose(elsewhere(40))).status).to.equal(200)
  })

  it('a server that is down counts once, and keeps nobody from the others', async () => {
    for (let times = 0; times < 8; times += 1) expect((await diagnose(elsewhere(0))).status).to.equal(200)
    expect((await diagnose(elsewhere(1))).status).to.equal(200)
  })

  it('SS-11: what is refused by the guard looks like what nobody answers at, and counts alike', async () => {
    const addresses: Readonly<Record<string, string>> = {
      'refused.example': '127.0.0.1',
      'blocked.example': '10.0.0.1',
    }
    const guarded = await startPatchbay({
      sharing: patchbay,
      clock,
      env: { FAILED_CONNECTS_PER_MINUTE: '2', EGRESS_ALLOW: '127.0.0.1/32' },
      egress: { lookup: async (hostname) => [{ address: addresses[hostname] ?? '192.0.2.1', family: 4 }] },
    })
    try {
      const ask = async (host: string, as: string) => {
        const id = await createConnector(guarded, `https://${host}/mcp`, { key: as })
        const connected = await guarded.request('POST', `/api/v1/connectors/${id}/connect`, { key: as, body: {} })
        const body = { url: `https://${host}/doctor` }
        const diagnosed = await guarded.request('POST', '/api/v1/doctor', { key: as, body })
        const third = await guarded.request('POST', '/api/v1/doctor', { key: as, body })
        const texts = [connected, diagnosed, third].map(({ status, text }) => `${status} ${text}`).join('\n')
        return texts.replaceAll(host, 'host').replaceAll(/"request_id":"[^"]+"/g, '')
      }
      const refused = await ask('refused.example', await patchbay.createKey({ subject: 'refused' }))
      const blocked = await ask('blocked.example', await patchbay.createKey({ subject: 'blocked' }))
      expect(blocked).to.equal(refused)
      expect(blocked).to.match(/^504 .*\n200 .*\n429 /)
    } finally {
      await guarded.close()
    }
  })

  // @guards src/access/turns.ts:createTurns
  it('SS-11: asks one destination for four callers at a time', async () => {
    const gate = createGate()
    let [now, most] = [0, 0]
    const slow = await startScriptedUpstream(() => async (response) => {
      now += 1
      most = Math.max(most, now)
      await gate.pass()
      now -= 1
      response.writeHead(404).end()
    })
    try {
      const answers = Array.from({ length: 7 }, (_, index) => diagnose(`${slow.origin}/${index}`, patchbay.admin))
      await until('four are asking', () => now === 4)
      gate.open()
      expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal(Array(7).fill(200))
      expect(most).to.equal(4)
    } finally {
      gate.open()
      await slow.close()
    }
  })

  it('asks a destination where an MCP server was found for as many as there are', async () => {
    const gate = createGate()
    let isOpen = true
    const slow = await startScriptedUpstream((request) => async (response) => {
      if (!isOpen) await gate.pass()
      await answerRpc(request.method, request.body)(response, request)
    })
    try {
      expect((await diagnose(`${slow.origin}/mcp`)).body.verdict).to.equal('connected')
      isOpen = false
      const answers = Array.from({ length: 7 }, (_, index) => diagnose(`${slow.origin}/${index}`))
      await until('all are asking', () => gate.arrivals === 7)
      gate.open()
      expect((await Promise.all(answers)).map(({ status }) => status)).to.deep.equal(Array(7).fill(200))
    } finally {
      gate.open()
      await slow.close()
    }
  })
})
