import { expect } from 'chai'
import { defaultTimings } from '../../../src/config/timings.ts'
import type { DueBatch } from '../../../src/connections/due-store.ts'
import { addMs } from '../../../src/kernel/clock.ts'
import { newId } from '../../../src/kernel/id.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { openGate } from '../../support/open-gate.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, eventsOf, rowOf, updateRow } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { respondJson } from '../../support/upstreams/scripted-upstream.ts'

const claim = { perIssuer: 100, claimMs: 60_000 }
const soon = () => addMs(new Date(), 3_600_000)

/** Two instances over one PostgreSQL, as two workers are; limits that are reached soon. */
describe('scheduled refreshes', () => {
  const rejections = { ...defaultTimings.refresh.rejections, count: 2 }
  const breaker = { threshold: 3, firstPauseMs: 2000, maxPauseMs: 2000 }
  const timings = { refresh: { ...defaultTimings.refresh, rejections, breaker } }
  let one: Patchbay
  let two: Patchbay
  let upstream: ScriptedOAuth
  let count = 0

  beforeEach(async () => {
    one = await startPatchbay({ timings })
    two = await startPatchbay({ sharing: one, timings })
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(async () => {
    await upstream.close()
    await two.close()
    await one.close()
  })

  const connected = async (how: number, from = upstream): Promise<string[]> => {
    const ids: string[] = []
    for (let made = 0; made < how; made += 1) {
      count += 1
      ids.push(await connectTo(one, from, { label: `scheduled ${count}` }))
    }
    return ids
  }
  const run = ({ app }: Patchbay, batch: DueBatch) => app.refreshing.runRefreshes(batch)
  const claimAll = () => one.app.refreshing.due.claim(soon(), claim)
  const claimOne = async (): Promise<DueBatch> => {
    const [batch, ...others] = await claimAll()
    if (batch === undefined || others.length > 0) throw new Error('not one batch')
    return batch
  }
  const read = async (id: string) => (await one.request('GET', `/api/v1/connectors/${id}`)).body
  const refreshes = (from = upstream) => from.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
  const sql = (text: string) => withConnection(one.databaseUrl, async (client) => (await client.query(text)).rows)

  // @guards src/storage/issuer-store.ts:createPostgresIssuerStore
  it('REL-13: an issuer gets four requests at once from all processes together, and one place is for whoever waits', async () => {
    const [waiting = '', ...ids] = await connected(9)
    await updateRow(one, waiting, 'next_refresh_at = NULL')
    const batch = await claimOne()
    expect(batch.references).to.have.length(8)
    const halves = [batch.references.slice(0, 4), batch.references.slice(4)].map((references) => ({
      ...batch,
      references,
    }))
    const gate = upstream.holdTokens()
    const runs = [run(one, halves[0] ?? batch), run(two, halves[1] ?? batch)]
    await until('three to be under way', () => gate.arrivals === 3)
    // whoever got no place has put its connections back by now
    await until(
      'the held places to be known',
      async () => (await sql('SELECT * FROM issuer_slots WHERE holder IS NOT NULL')).length === 3,
    )
    const asked = one.request('POST', `/api/v1/connectors/${waiting}/refresh`)
    await until('the person to overtake them', () => gate.arrivals === 4)
    expect(refreshes()).to.have.length(4)
    gate.open()
    expect((await asked).body).to.include({ state: 'connected', last_error: null })
    const reports = await Promise.all(runs)
    const refreshed = reports.reduce((sum, { ended }) => sum + (ended.refreshed ?? 0), 0)
    expect(refreshed).to.be.at.least(4)
    for (const left of await claimAll()) await run(two, left)
    for (const id of ids) expect((await rowOf(one, id)).token_version).to.be.at.least(1)
  }).timeout(60_000)

  // @guards src/connections/issuer-keeper.ts:createIssuerKeeper
  it('REL-14: a server that hangs delays no other', async () => {
    const other = await startScriptedOAuth({ expiresInSeconds: 3600 })
    try {
      await connected(3)
      const [well = ''] = await connected(1, other)
      const gate = upstream.holdTokens()
      const batches = await claimAll()
      expect(batches).to.have.length(2)
      const runs = batches.map((batch) => run(one, batch))
      await until(
        'one to hang, the other to be done',
        async () => gate.arrivals === 3 && (await rowOf(one, well)).token_version === 1,
      )
      gate.open()
      await Promise.all(runs)
    } finally {
      await other.close()
    }
  }).timeout(60_000)

  // @guards src/connections/issuer-keeper.ts:createIssuerKeeper
  it('REL-14: a server that fails is left alone, then asked once, and by all once it answers', async () => {
    await connected(6)
    upstream.answerTokensWith(respondJson({}, 502))
    const { pausedMs } = await failUntilPaused()
    expect(pausedMs).to.be.greaterThan(0)
    const asked = refreshes().length
    await sql(`UPDATE connections SET next_refresh_at = now() - interval '1 second'`)
    expect(await claimAll(), 'nothing of a paused issuer is claimed').to.deep.equal([])
    expect(refreshes()).to.have.length(asked)

    upstream.answerTokensWith(null)
    const gate = upstream.holdTokens()
    let probing: Promise<unknown> | undefined
    await until('the pause to end', async () => {
      const [batch] = await claimAll()
      if (batch === undefined) return false
      probing = run(one, batch)
      return true
    })
    await until('one request to find out', () => gate.arrivals === 1)
    const second = await two.app.refreshing.runRefreshes({ issuer: upstream.origin, references: [] })
    expect(second.ended, 'nobody else asks meanwhile').to.deep.equal({})
    expect(gate.arrivals).to.equal(1)
    gate.open()
    await probing
    expect(await sql('SELECT failures, trips FROM issuers WHERE failures > 0')).to.deep.equal([])
  }).timeout(60_000)

  async function failUntilPaused(): Promise<{ pausedMs: number }> {
    const batch = await claimOne()
    await run(one, batch)
    const [row] = await sql(
      'SELECT extract(epoch FROM paused_until - now()) * 1000 AS ms FROM issuers WHERE paused_until > now()',
    )
    return { pausedMs: Number(row?.ms ?? 0) }
  }

  // @guards src/connections/run-refreshes.ts:createRunRefreshes
  it('REL-15: what is gone or does not open stops nobody else, and is parked after five tries', async () => {
    const [gone = '', broken = '', well = ''] = await connected(3)
    const batch = await claimOne()
    await one.request('DELETE', `/api/v1/connectors/${gone}`)
    await updateRow(one, broken, "sealed_refresh_token = 'v1.test.AAAA.AAAA.AAAA'")
    await run(one, batch)
    expect((await rowOf(one, well)).token_version).to.equal(1)
    expect(await read(broken)).to.deep.include({ state: 'connected' })
    for (let attempt = 2; attempt <= 5; attempt += 1) {
      await updateRow(one, broken, 'next_refresh_at = now()')
      for (const again of await one.app.refreshing.due.claim(new Date(), claim)) await run(one, again)
    }
    expect((await rowOf(one, broken)).next_refresh_at, 'parked').to.equal(null)
    expect((await read(broken)).last_error).to.include({ retryable: false, attempts: 5 })
    expect(await eventsOf(one, broken, 'connector.refresh_failed')).to.have.length(5)
    expect(refreshes()).to.have.length(1)
  }).timeout(60_000)

  // @guards src/storage/due-store.ts:createPostgresDueStore
  it('REL-18: sweeps at the same moment share nothing, and what a crashed one claimed is found again', async () => {
    await connected(3)
    const now = soon()
    const sweeps = await Promise.all(
      [one, two, one, two].map(({ app }) => app.refreshing.due.claim(now, { perIssuer: 100, claimMs: 300 })),
    )
    const claimed = sweeps.flat().flatMap(({ references }) => references.map(({ id }) => id))
    expect(claimed).to.have.length(3)
    expect(new Set(claimed).size).to.equal(3)
    let again: DueBatch[] = []
    await until('the claim of a process that died to pass', async () => {
      again = await two.app.refreshing.due.claim(addMs(now, 1000), claim)
      return again.length > 0
    })
    expect(again[0]?.references.map(({ id }) => id)).to.have.members(claimed)
    const reports = await Promise.all(again.map((batch) => run(two, batch)))
    expect(reports[0]?.ended).to.deep.equal({ refreshed: 3 })
  }).timeout(60_000)

  // @guards src/storage/rejection-count.ts:countRejection
  it('REL-34: a wave of rejections ends two grants; the others are kept, say why, and work again', async () => {
    const ids = await connected(6)
    upstream.answerTokensWith(respondJson({ error: 'invalid_grant' }, 400))
    await run(one, await claimOne())
    const states = await Promise.all(ids.map(async (id) => (await read(id)).state))
    expect(states.filter((state) => state === 'disconnected')).to.have.length(2)
    const kept = ids[states.indexOf('connected')] ?? ''
    expect((await read(kept)).last_error).to.include({ code: 'refresh_token_rejected', retryable: true })
    upstream.answerTokensWith(null)
    const answer = await one.request('POST', `/api/v1/connectors/${kept}/refresh`)
    expect(answer.body).to.include({ state: 'connected', last_error: null })
  }).timeout(60_000)

  it('REL-34: negative control: without the guard all of them end', async () => {
    const three = await startPatchbay({ sharing: one, timings, refresh: { gate: openGate } })
    try {
      const ids = await connected(4)
      upstream.answerTokensWith(respondJson({ error: 'invalid_grant' }, 400))
      await run(three, await claimOne())
      for (const id of ids) expect(await read(id)).to.include({ state: 'disconnected' })
    } finally {
      await three.close()
    }
  }).timeout(60_000)

  it('a job for an issuer that nobody knows of does no harm', async () => {
    const job = { issuer: 'https://nowhere.example', references: [{ tenantId: newId(), id: newId(), tokenVersion: 0 }] }
    expect((await one.app.refreshing.runRefreshes(job)).ended).to.deep.equal({})
  })
})
