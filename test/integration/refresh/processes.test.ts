import { expect } from 'chai'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type PatchbayProcess, startPatchbayProcess } from '../../support/patchbay-processes.ts'
import { connectTo, rowOf, updateRow } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

const callers = 50
const generations = 20
/** For the whole file: processes start while others work. */
const startMs = 120_000

/** Real processes over one PostgreSQL, and an authorization server that rotates, and ends the family when a token comes twice. */
describe('refreshing with two servers and two workers', function () {
  this.timeout(startMs)
  let patchbay: Patchbay
  let processes: PatchbayProcess[] = []
  let upstream: ScriptedOAuth

  beforeEach(async () => {
    patchbay = await startPatchbay()
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(async () => {
    await Promise.all(processes.map((child) => child.end('SIGKILL')))
    processes = []
    await upstream.close()
    await patchbay.close()
  })

  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const roles = ['server', 'server', 'worker', 'worker'] as const
    const starting = await Promise.allSettled(roles.map((role) => startPatchbayProcess(patchbay, { role, env })))
    processes = starting.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
    expect(processes, 'processes that came up').to.have.length(roles.length)
  }
  const call = async ({ url }: PatchbayProcess, id: string) => {
    const response = await fetch(`${url}/connectors/${id}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${patchbay.admin}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ping', arguments: {} } }),
    })
    return (await response.text()).includes('pong') ? 'pong' : `${response.status}`
  }
  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
  const refusals = () => upstream.received.filter(({ target, method }) => target === '/mcp' && method === 'POST').length

  /** All at once: fifty calls with a token that is refused, and workers that find the connection due. */
  async function generation(id: string): Promise<{ answers: string[]; redemptions: number }> {
    const before = refreshes().length
    const refused = refusals()
    upstream.expireAccessTokens()
    const gate = upstream.holdTokens()
    const [one, two] = processes as [PatchbayProcess, PatchbayProcess]
    await updateRow(patchbay, id, 'next_refresh_at = now()')
    const calls = Array.from({ length: callers }, (_, index) => call(index % 2 === 0 ? one : two, id))
    await until('all callers to be refused', () => refusals() >= refused + callers, 30_000)
    await until('a refresh to be under way', () => gate.arrivals > 0, 30_000)
    gate.open()
    const answers = await Promise.all(calls)
    return { answers, redemptions: refreshes().length - before }
  }

  // @guards src/storage/lease-store.ts:take
  it(`REL-01: ${callers} callers, ${generations} generations: one redemption each, and every caller is served`, async () => {
    const id = await connectTo(patchbay, upstream)
    await start()
    const redemptions: number[] = []
    for (let count = 0; count < generations; count++) {
      const { answers, ...one } = await generation(id)
      expect(new Set(answers), `generation ${count + 1}`).to.deep.equal(new Set(['pong']))
      redemptions.push(one.redemptions)
    }
    console.log(`      redemptions by generation: ${redemptions.join(' ')}`)
    expect(redemptions).to.deep.equal(Array.from({ length: generations }, () => 1))
    const spent = refreshes().map(({ form }) => form.refresh_token)
    expect(new Set(spent).size, 'no token was presented twice').to.equal(generations)
    expect((await rowOf(patchbay, id)).token_version).to.equal(generations)
  })

  it('REL-01: negative control: with leases that anybody gets, a token is redeemed more than once', async () => {
    const id = await connectTo(patchbay, upstream)
    await start({ COORDINATION: 'off' })
    upstream.expireAccessTokens()
    const gate = upstream.holdTokens()
    const [one, two] = processes as [PatchbayProcess, PatchbayProcess]
    const calls = [call(one, id), call(two, id)]
    await until('both servers to redeem it', () => gate.arrivals > 1, 30_000)
    gate.open()
    await Promise.all(calls)
    const first = refreshes().filter(({ form }) => form.refresh_token === upstream.refreshTokens[0])
    console.log(`      redemptions of one token: ${first.length}`)
    expect(first.length).to.be.above(1)
  })
})

const faultPoints = [
  'lease_taken',
  'request_sent',
  'answer_received',
  'before_commit',
  'after_commit',
  'before_job_done',
] as const

/** How much faster than in life leases run here; once at full length in the slow lane. */
const speed = Number(process.env.REFRESH_TEST_SPEED ?? '5')
const usableWithinMs = 20_000

describe('a worker that is killed at a fault point', function () {
  this.timeout(startMs)

  // @guards src/storage/lease-store.ts:take
  it('REL-03: leaves a connection that works again, or an honest reason', async () => {
    const patchbay = await startPatchbay()
    const cases = await Promise.all(
      [true, false].flatMap((isForgiving) =>
        faultPoints.map(async (point) => {
          const upstream = await startScriptedOAuth({ expiresInSeconds: 3600, isForgiving })
          return { isForgiving, point, upstream, id: '', connectionId: '', usableAfterMs: -1 }
        }),
      ),
    )
    const open: PatchbayProcess[] = []
    try {
      for (const one of cases) {
        one.id = await connectTo(patchbay, one.upstream)
        one.connectionId = (await rowOf(patchbay, one.id)).id
      }
      const haltAt = Object.fromEntries(cases.map(({ connectionId, point }) => [connectionId, point]))
      const env = { SPEED: String(speed), SWEEP_INTERVAL: String(defaultSweepSeconds / speed) }
      const doomed = await startPatchbayProcess(patchbay, {
        role: 'worker',
        env: { ...env, HALT_AT: JSON.stringify(haltAt) },
      })
      open.push(doomed)
      for (const { id } of cases) await updateRow(patchbay, id, 'next_refresh_at = now()')
      const reached = (one: (typeof cases)[number]) =>
        doomed.halted.has(one.connectionId) && (one.point !== 'request_sent' || isAsked(one.upstream))
      await until('every refresh to be where it is to stop', () => cases.every(reached), 60_000)
      const successor = await startPatchbayProcess(patchbay, { role: 'worker', env })
      open.push(successor)
      await doomed.end('SIGKILL')
      const killedAt = performance.now()

      const isSettled = async (one: (typeof cases)[number]) => {
        if (one.usableAfterMs >= 0) return true
        const row = await rowOf(patchbay, one.id)
        const isDone = row.lease_owner === null && row.refresh_started_at === null && row.token_version > 0
        if (isDone || row.state === 'disconnected') one.usableAfterMs = Math.round(performance.now() - killedAt)
        return one.usableAfterMs >= 0
      }
      const areSettled = async () => {
        for (const one of cases) await isSettled(one)
        return cases.every(({ usableAfterMs }) => usableAfterMs >= 0)
      }
      await until('all to be settled', areSettled, 60_000)

      for (const one of cases) {
        const row = await rowOf(patchbay, one.id)
        const spent = one.upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
        const server = one.isForgiving ? 'forgiving' : 'strict'
        const fate = row.state === 'disconnected' ? row.disconnect_code : 'usable'
        console.log(
          `      ${server.padEnd(9)} ${one.point.padEnd(15)} ${fate.padEnd(20)} after ${one.usableAfterMs} ms, ${spent.length} requests`,
        )
        const isLost = !one.isForgiving && ['request_sent', 'answer_received', 'before_commit'].includes(one.point)
        expect(fate, `${server}, ${one.point}`).to.equal(isLost ? 'refresh_result_lost' : 'usable')
        expect(one.usableAfterMs).to.be.below(usableWithinMs)
        if (isLost) continue
        const answer = await patchbay.request('POST', `/api/v1/connectors/${one.id}/refresh`)
        expect(answer.body, 'and the next refresh works').to.include({ state: 'connected', last_error: null })
      }
    } finally {
      await Promise.all(open.map((child) => child.end('SIGKILL')))
      for (const { upstream } of cases) await upstream.close()
      await patchbay.close()
    }
  })
})

describe('two workers', function () {
  this.timeout(startMs)
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let open: PatchbayProcess[] = []

  beforeEach(async () => {
    patchbay = await startPatchbay()
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(async () => {
    await Promise.all(open.map((child) => child.end('SIGKILL')))
    open = []
    await upstream.close()
    await patchbay.close()
  })

  const startWorker = async (env: Readonly<Record<string, string>>) => {
    const worker = await startPatchbayProcess(patchbay, { role: 'worker', env: { SPEED: String(speed), ...env } })
    open.push(worker)
    return worker
  }
  const redemptions = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
  const versionOf = async (id: string) => (await rowOf(patchbay, id)).token_version

  // @guards src/connections/lease-keeper.ts:createLeaseKeeper
  it('REL-11: one was suspended while it held the lease: the other refreshes, and it spends nothing when it wakes', async () => {
    const id = await connectTo(patchbay, upstream)
    const { id: connectionId } = await rowOf(patchbay, id)
    const sleeper = await startWorker({ HALT_AT: JSON.stringify({ [connectionId]: 'lease_taken' }) })
    await updateRow(patchbay, id, 'next_refresh_at = now()')
    await until('it to hold the lease', () => sleeper.halted.has(connectionId), 30_000)
    sleeper.suspend()
    await startWorker({})
    await until('the other to refresh', async () => (await versionOf(id)) === 1, 60_000)
    const before = redemptions().length
    sleeper.resume()
    sleeper.goOn(connectionId)
    // it ends in order, so whatever it was about to do is done
    expect(await sleeper.end('SIGTERM')).to.equal(0)
    expect(before).to.equal(1)
    expect(redemptions(), 'nothing more was sent').to.have.length(1)
    expect(await rowOf(patchbay, id)).to.include({ state: 'connected', token_version: 1, fail_count: 0 })
  })

  // @guards workers/refresh.ts:startRefreshWorker
  it('REL-19: one is told to end while a refresh is under way: it stores the result first', async () => {
    const id = await connectTo(patchbay, upstream)
    const gate = upstream.holdTokens()
    const worker = await startWorker({})
    await updateRow(patchbay, id, 'next_refresh_at = now()')
    await until('the refresh to be under way', () => gate.arrivals === 1, 30_000)
    const ending = worker.end('SIGTERM')
    gate.open()
    expect(await ending).to.equal(0)
    expect(await rowOf(patchbay, id)).to.include({ token_version: 1, lease_owner: null, refresh_started_at: null })
    expect(redemptions()).to.have.length(1)
  })

  // @guards src/storage/lease-store.ts:take
  it('REL-11: clocks two hours apart: each token is redeemed once', async () => {
    const labels = Array.from({ length: 10 }, (_, index) => `number ${index}`)
    const ids = await Promise.all(labels.map((label) => connectTo(patchbay, upstream, { label })))
    await Promise.all([startWorker({ CLOCK_AHEAD: '3600000' }), startWorker({ CLOCK_AHEAD: '-3600000' })])
    for (const id of ids) await updateRow(patchbay, id, "next_refresh_at = now() - interval '2 hours'")
    const areRefreshed = async () => (await Promise.all(ids.map(versionOf))).every((version) => version > 0)
    await until('all to be refreshed', areRefreshed, 60_000)
    const spent = redemptions().map(({ form }) => form.refresh_token)
    expect(new Set(spent).size, 'no token was presented twice').to.equal(spent.length)
    for (const id of ids) expect(await rowOf(patchbay, id)).to.include({ state: 'connected', fail_count: 0 })
  })
})

const defaultSweepSeconds = 5
const isAsked = ({ tokenRequests }: ScriptedOAuth) =>
  tokenRequests.some(({ form }) => form.grant_type === 'refresh_token')
