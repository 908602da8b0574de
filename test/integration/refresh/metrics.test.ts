import { expect } from 'chai'
import type { LeaseStore } from '../../../src/connections/lease-store.ts'
import { callTool } from '../../support/call-tool.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, fastTimings, rowOf, runAsWorker, updateRow } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { type Answer, respond, respondJson } from '../../support/upstreams/scripted-upstream.ts'

/** What refreshing counts, as a scrape of `/metrics` has it. */
describe('what refreshing does', () => {
  let one: Patchbay
  let two: Patchbay
  let upstream: ScriptedOAuth
  let isStoreBroken = false
  /** How often the other process asked for a lease. */
  let wishes = 0

  /** Takes everything but the result of a refresh. */
  const unwilling = (real: LeaseStore): LeaseStore => ({
    ...real,
    settle: async (...args) => {
      if (isStoreBroken) throw new Error('read-only')
      return real.settle(...args)
    },
  })

  const watched = (real: LeaseStore): LeaseStore => ({
    ...real,
    takeLeases(...args) {
      wishes += 1
      return real.takeLeases(...args)
    },
  })

  beforeEach(async () => {
    wishes = 0
    isStoreBroken = false
    one = await startPatchbay({ timings: fastTimings, refresh: { leases: unwilling } })
    two = await startPatchbay({ timings: fastTimings, sharing: one, refresh: { leases: watched } })
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(async () => {
    await upstream.close()
    await two.close()
    await one.close()
  })

  /** The samples of metrics with that prefix which are not 0, by name and labels. */
  async function counted(prefix: string, { app }: Patchbay = one): Promise<Record<string, number>> {
    const { text } = await app.metrics.render()
    const samples = text.split('\n').filter((line) => line.startsWith(`patchbay_refresh_${prefix}`))
    const pairs = samples.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice('patchbay_refresh_'.length, at), Number(line.slice(at))] as const
    })
    return Object.fromEntries(pairs.filter(([, value]) => value !== 0))
  }
  const refresh = (id: string) => one.request('POST', `/api/v1/connectors/${id}/refresh`)
  const run = async (id: string) => {
    await updateRow(one, id, "next_refresh_at = now() - interval '1 minute'")
    const batches = await one.app.refreshing.due.claim(new Date(), { perIssuer: 100, claimMs: 60_000 })
    for (const batch of batches) await one.app.refreshing.runRefreshes(batch)
  }

  // @guards src/metrics/refresh-metrics.ts:createRefreshMetrics
  it('REL-33: counts attempts by who wanted them and how they ended, and the time that servers took', async () => {
    const id = await connectTo(one, upstream)
    await refresh(id)
    await run(id)
    expect(await counted('started_total')).to.deep.equal({
      'started_total{way="awaited"}': 1,
      'started_total{way="scheduled"}': 1,
    })
    expect(await counted('total')).to.deep.equal({ 'total{outcome="ok"}': 2 })
    expect(await counted('token_request_seconds_count')).to.deep.equal({ token_request_seconds_count: 2 })
  })

  // @guards src/connections/refresh-connection.ts:createRefreshConnection
  it("REL-33: counts who used another process's result, and how long it waited", async () => {
    const id = await connectTo(one, upstream)
    upstream.expireAccessTokens()
    const gate = upstream.holdTokens()
    const holder = refresh(id)
    await until('the refresh to be under way', () => gate.arrivals === 1)
    const waiting = callTool(two, id, 'ping')
    await until('the other to want the lease', () => wishes > 0)
    gate.open()
    await Promise.all([holder, waiting])
    expect(await counted('total', two)).to.deep.equal({ 'total{outcome="adopted"}': 1 })
    expect(await counted('lease_wait_seconds_count', two)).to.deep.equal({ lease_wait_seconds_count: 1 })
    expect(await counted('total')).to.deep.equal({ 'total{outcome="ok"}': 1 })
  })

  const failures: readonly {
    readonly what: string
    readonly answer: Answer
    readonly counts: Readonly<Record<string, number>>
  }[] = [
    {
      what: 'no answer, which is asked for twice',
      answer: (response) => {
        response.destroy()
      },
      counts: {
        'failures_total{class="ambiguous"}': 1,
        ambiguous_retries_total: 1,
        'total{outcome="transient"}': 1,
      },
    },
    {
      what: 'a request to wait, which pauses the issuer',
      answer: respond(429, '', { 'retry-after': '60' }),
      counts: {
        'failures_total{class="transient"}': 1,
        'issuers_paused{why="asked_to_wait"}': 1,
        'total{outcome="transient"}': 1,
      },
    },
    {
      what: 'the end of a grant, with its reason',
      answer: respondJson({ error: 'invalid_grant' }, 400),
      counts: {
        'failures_total{class="terminal"}': 1,
        'terminal_total{reason="refresh_token_rejected"}': 1,
        'total{outcome="ended"}': 1,
      },
    },
  ]
  for (const { what, answer, counts } of failures) {
    // @guards src/connections/renew-leased.ts:createRenewLeased
    it(`REL-33: counts ${what}`, async () => {
      const id = await connectTo(one, upstream)
      upstream.answerTokensWith(answer)
      await refresh(id)
      const found = {
        ...(await counted('total')),
        ...(await counted('failures_total')),
        ...(await counted('ambiguous_retries_total')),
        ...(await counted('terminal_total')),
        ...(await counted('lost_total')),
        ...(await counted('issuers_paused')),
      }
      expect(found).to.deep.equal(counts)
    })
  }

  it('REL-33: counts a token that was lost with the process that fetched it', async () => {
    const id = await connectTo(one, upstream)
    await updateRow(one, id, "refresh_started_at = now() - interval '1 minute'")
    upstream.answerTokensWith(respondJson({ error: 'invalid_grant' }, 400))
    await runAsWorker(one.app, await rowOf(one, id))
    expect(await counted('lost_total')).to.deep.equal({ lost_total: 1 })
    expect(await counted('terminal_total')).to.deep.equal({ 'terminal_total{reason="refresh_result_lost"}': 1 })
  })

  // @guards src/connections/spill.ts:createSpill
  it('REL-33: counts what the database did not take, and what still waits for it', async () => {
    const id = await connectTo(one, upstream)
    isStoreBroken = true
    await refresh(id)
    expect(await counted('spill')).to.deep.equal({ spilled_total: 1, spill_pending: 1 })
    isStoreBroken = false
    await until('it to be stored', async () => (await rowOf(one, id)).token_version === 1)
    await until('it to be done with', async () => (await counted('spill_pending')).spill_pending === undefined)
    expect(await counted('spill')).to.deep.equal({ spilled_total: 1 })
  })

  // @guards src/storage/database-state.ts:createDatabaseState
  it('REL-33: tells how late the most overdue connection is', async () => {
    const id = await connectTo(one, upstream)
    expect(await counted('due_lag_seconds')).to.deep.equal({})
    await updateRow(one, id, "next_refresh_at = now() - interval '5 minutes'")
    expect((await counted('due_lag_seconds')).due_lag_seconds).to.be.within(299, 330)
    await run(id)
    expect(await counted('due_lag_seconds')).to.deep.equal({})
  })
})
