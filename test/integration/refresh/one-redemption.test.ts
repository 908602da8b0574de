import { expect } from 'chai'
import { callTool } from '../../support/call-tool.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, fastTimings, rowOf, runAsWorker, updateRow } from '../../support/refreshing.ts'
import { createTestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

/** Two instances over one PostgreSQL, with leases twenty times as short as in life. */
describe('one redemption', () => {
  let one: Patchbay
  let two: Patchbay
  let upstream: ScriptedOAuth
  let count = 0
  const clock = createTestClock()

  before(async () => {
    one = await startPatchbay({ timings: fastTimings, clock })
    two = await startPatchbay({ timings: fastTimings, sharing: one })
  })
  after(async () => {
    await two.close()
    await one.close()
  })
  beforeEach(async () => {
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(() => upstream.close())

  const connected = () => {
    count += 1
    return connectTo(one, upstream, { label: `one ${count}` })
  }
  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
  const refusals = () => upstream.received.filter(({ target, method }) => target === '/mcp' && method === 'POST')
  const read = async (id: string) => (await one.request('GET', `/api/v1/connectors/${id}`)).body

  // @guards src/storage/lease-store.ts:take
  it('REL-02: worker, endpoint, connect and a person at once, on both instances: one redemption, all are served', async () => {
    const id = await connected()
    const row = await rowOf(one, id)
    const seen = await one.app.connections.find(row.tenant_id, row.id)
    if (seen === null) throw new Error('it was just connected')
    upstream.expireAccessTokens()
    const gate = upstream.holdTokens()
    const before = refusals().length
    const person = one.request('POST', `/api/v1/connectors/${id}/refresh`)
    await until('somebody to ask', () => gate.arrivals === 1)
    const calls = [one, two, one, two].map((patchbay) => callTool(patchbay, id, 'ping'))
    const connects = [one, two].map((patchbay) => patchbay.request('POST', `/api/v1/connectors/${id}/connect`))
    await until('calls and connects to be refused', () => refusals().length >= before + 6)
    const others = [one, two].map(({ app }) => app.refreshing.refreshConnection(seen, { isForced: true }))
    const runs = await Promise.all([one, two].map(({ app }) => runAsWorker(app, row)))
    expect(runs, 'the worker passes over what is leased').to.deep.equal(['passed_over', 'passed_over'])
    gate.open()
    for (const { text } of await Promise.all(calls)) expect(text).to.equal('pong')
    for (const { status, body } of await Promise.all([person, ...connects])) {
      expect([status, body.state]).to.deep.equal([200, 'connected'])
    }
    expect((await Promise.all(others)).map(({ kind }) => kind)).to.deep.equal(['refreshed', 'adopted'])
    expect(refreshes()).to.have.length(1)
    expect((await rowOf(one, id)).token_version).to.equal(1)
  })

  // @guards src/connections/lease-keeper.ts:createLeaseKeeper
  it('REL-04: a server four times as slow as the lease sees one redemption, while others keep trying', async () => {
    const id = await connected()
    const row = await rowOf(one, id)
    const gate = upstream.holdTokens()
    const refresh = one.request('POST', `/api/v1/connectors/${id}/refresh`)
    await until('the refresh to be under way', () => gate.arrivals === 1)
    const until4Leases = performance.now() + 4 * fastTimings.refresh.leaseMs
    let attempts = 0
    while (performance.now() < until4Leases) {
      expect(await runAsWorker(two.app, row)).to.equal('passed_over')
      attempts += 1
    }
    expect(attempts).to.be.above(20)
    gate.open()
    expect((await refresh).body.state).to.equal('connected')
    expect(refreshes()).to.have.length(1)
  })

  it('REL-04: negative control: without the heartbeat the lease is gone, and the token is spent twice', async () => {
    const dead = await startPatchbay({
      sharing: one,
      timings: { refresh: { ...fastTimings.refresh, heartbeatMs: 3_600_000 } },
    })
    const id = await connected()
    const row = await rowOf(one, id)
    const gate = upstream.holdTokens()
    const refresh = runAsWorker(dead.app, row)
    await until('the refresh to be under way', () => gate.arrivals === 1)
    const taken = Promise.race([
      refresh,
      (async () => {
        for (;;) {
          const kind = await runAsWorker(two.app, row)
          if (kind !== 'passed_over') return kind
        }
      })(),
    ])
    await until('the other to take over', () => gate.arrivals === 2)
    gate.open()
    await Promise.all([taken, refresh])
    expect(refreshes()).to.have.length(2)
    await dead.close()
  })

  // @guards src/connections/refresh-connection.ts:createRefreshConnection
  it('REL-05: who waits too long is told to retry; nothing is held against the connection', async () => {
    const id = await connected()
    upstream.expireAccessTokens()
    const gate = upstream.holdTokens()
    const holder = one.request('POST', `/api/v1/connectors/${id}/refresh`)
    await until('the refresh to be under way', () => gate.arrivals === 1)
    const waiting = await Promise.all([
      callTool(two, id, 'ping'),
      two.request('POST', `/api/v1/connectors/${id}/refresh`),
    ])
    expect(waiting.map(({ status }) => status)).to.deep.equal([503, 503])
    expect(waiting[1].body.code).to.equal('refresh_in_progress')
    expect(await read(id)).to.include({ state: 'connected', last_error: null, disconnect_code: null })
    gate.open()
    expect((await holder).status).to.equal(200)
    expect((await callTool(two, id, 'ping')).text, 'and then it works').to.equal('pong')
    expect(refreshes()).to.have.length(1)
  })

  // @guards src/storage/lease-store.ts:take
  it('REL-16: a job that is delivered three times, at once and later, acts once', async () => {
    const id = await connected()
    const row = await rowOf(one, id)
    const atOnce = await Promise.all([one, two, one].map(({ app }) => runAsWorker(app, row)))
    expect(atOnce.sort()).to.deep.equal(['passed_over', 'passed_over', 'refreshed'])
    expect(await runAsWorker(two.app, row), 'later').to.equal('passed_over')
    expect(refreshes()).to.have.length(1)
  })

  describe('a process that was away', () => {
    const leasedBy = async ({ app }: Patchbay, id: string) => {
      const row = await rowOf(one, id)
      const reference = { id: row.id, tenantId: row.tenant_id, grantEpoch: null, tokenVersion: 0 }
      const [leased] = await app.refreshing.keeper.take([reference])
      if (leased === undefined) throw new Error('the lease was to be had')
      return { row, leased }
    }
    /** What `two` had leased for so long that `one` has refreshed it. */
    const overtaken = async (id: string) => {
      const { row, leased } = await leasedBy(two, id)
      await updateRow(one, id, "lease_until = now() - interval '1 second'")
      expect(await runAsWorker(one.app, row)).to.equal('refreshed')
      return leased
    }

    // @guards src/connections/lease-keeper.ts:createLeaseKeeper
    it('REL-11: a clock that jumped by an hour while it held the lease: it sends nothing', async () => {
      const id = await connected()
      const { row, leased } = await leasedBy(one, id)
      clock.advance(3_600_000)
      expect((await one.app.refreshing.renewLeased(leased)).kind).to.equal('busy')
      expect(refreshes(), 'nothing was sent').to.have.length(0)
      const after = await rowOf(one, id)
      expect(after).to.include({ lease_owner: null, refresh_started_at: null, fail_count: 0 })
      expect(await runAsWorker(two.app, row), 'the next one may').to.equal('refreshed')
    })

    // @guards src/connections/lease-keeper.ts:createLeaseKeeper
    it('REL-17: an event loop that stood still past its lease: another refreshed, and it spends nothing', async () => {
      const id = await connected()
      const leased = await overtaken(id)
      const end = performance.now() + fastTimings.refresh.leaseMs
      while (performance.now() < end);
      const result = await two.app.refreshing.renewLeased(leased)
      expect(result.kind).to.equal('adopted')
      expect(refreshes()).to.have.length(1)
      expect((await rowOf(one, id)).token_version, 'what the other stored is untouched').to.equal(1)
    })

    it('REL-17: negative control: whoever trusts its lease blindly spends the token twice', async () => {
      const id = await connected()
      const leased = await overtaken(id)
      await two.app.refreshing.renewLeased({ ...leased, lease: { isHeld: () => true, isFresh: () => true } })
      expect(refreshes()).to.have.length(2)
      expect(await read(id), 'even so, nobody takes the winner’s grant away').to.include({ state: 'connected' })
    })

    // @guards src/connections/schedule.ts:expiryOf
    it('REL-11: expiry is counted from the beginning of the request, whatever clock the server has', async () => {
      const id = await connected()
      const gate = upstream.holdTokens()
      const from = clock.now().getTime()
      const refresh = one.request('POST', `/api/v1/connectors/${id}/refresh`)
      await until('the refresh to be under way', () => gate.arrivals === 1)
      const sent = clock.now().getTime()
      await until('a while to pass', () => clock.now().getTime() > sent + 300)
      gate.open()
      const { token_expires_at } = (await refresh).body
      expect(Date.parse(token_expires_at)).to.be.within(from + 3_600_000, sent + 3_600_000)
    })
  })

  it('a call that finds the token run out renews it first, and does not wait for the refusal', async () => {
    const id = await connected()
    upstream.expireAccessTokens()
    await updateRow(one, id, "access_expires_at = now() - interval '2 hours'")
    const before = refusals().length
    expect((await callTool(two, id, 'ping')).text).to.equal('pong')
    expect(refusals().length - before, 'one request, with the new token').to.equal(1)
    expect(refreshes()).to.have.length(1)
  })

  it('a holder that dies is followed by somebody who waits', async () => {
    const id = await connected()
    const row = await rowOf(one, id)
    const reference = { id: row.id, tenantId: row.tenant_id, grantEpoch: null, tokenVersion: 0 }
    const [leased] = await one.app.refreshing.keeper.take([reference])
    if (leased === undefined) throw new Error('the lease was to be had')
    // no heartbeat any more, as after kill -9
    one.app.refreshing.keeper.forget(leased)
    const { status, body } = await two.request('POST', `/api/v1/connectors/${id}/refresh`)
    expect([status, body.state]).to.deep.equal([200, 'connected'])
    expect(refreshes()).to.have.length(1)
  })
})
