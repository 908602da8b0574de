import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { defaultTimings } from '../../../src/config/timings.ts'
import type { LeaseStore } from '../../../src/connections/lease-store.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createGate, type Gate } from '../../support/gate.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, rowOf, updateRow } from '../../support/refreshing.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

/** Not gone, but slow, or unwilling to prolong a lease: no token may be spent twice then, and none be lost. */
describe('a refresh while the database falters', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let isHeartless = false
  let settling: Gate | undefined

  const faltering = (real: LeaseStore): LeaseStore => ({
    ...real,
    async renewLeases(...args) {
      if (isHeartless) throw new Error('lock timeout')
      return real.renewLeases(...args)
    },
    async settle(...args) {
      await settling?.pass()
      return real.settle(...args)
    },
  })

  beforeEach(async () => {
    isHeartless = false
    settling = undefined
    // no heartbeat: what is prolonged here is prolonged before a request
    const refresh = { ...defaultTimings.refresh, freshMs: 50, heartbeatMs: 3_600_000 }
    patchbay = await startPatchbay({ timings: { refresh }, refresh: { leases: faltering } })
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(async () => {
    settling?.open()
    await patchbay.close()
    await upstream.close()
  })

  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token').length

  /** A lease that was taken so long ago that a request might outlast it. */
  async function oldLease() {
    const { keeper } = patchbay.app.refreshing
    const id = await connectTo(patchbay, upstream)
    const row = await rowOf(patchbay, id)
    const [leased] = await keeper.take([{ id: row.id, tenantId: row.tenant_id, grantEpoch: null, tokenVersion: 0 }])
    if (leased === undefined) throw new Error('the lease was to be had')
    await until('the lease to be old', () => !leased.lease.isFresh())
    return { id, leased }
  }

  // @guards src/connections/lease-keeper.ts:createLeaseKeeper
  it('REL-17: sends nothing under an old lease that cannot be prolonged', async () => {
    const { id, leased } = await oldLease()
    isHeartless = true
    expect((await patchbay.app.refreshing.renewLeased(leased)).kind).to.equal('busy')
    expect(refreshes()).to.equal(0)
    expect(await rowOf(patchbay, id), 'nothing is held against it').to.include({ lease_owner: null, fail_count: 0 })
  })

  it('REL-17: sends nothing under one that is somebody else’s by now, though its own clocks say that it lasts', async () => {
    const { id, leased } = await oldLease()
    await updateRow(patchbay, id, 'lease_owner = gen_random_uuid()')
    expect((await patchbay.app.refreshing.renewLeased(leased)).kind).to.equal('busy')
    expect(refreshes()).to.equal(0)
  })

  it('REL-17: prolongs an old lease first, and then sends', async () => {
    const { id, leased } = await oldLease()
    const before = await rowOf(patchbay, id)
    const gate = upstream.holdTokens()
    const renewing = patchbay.app.refreshing.renewLeased(leased)
    await until('the request', () => gate.arrivals === 1)
    expect((await rowOf(patchbay, id)).lease_until).to.be.above(before.lease_until)
    gate.open()
    expect((await renewing).kind).to.equal('refreshed')
  })

  // @guards src/connections/spill.ts:createSpill
  it('REL-03: puts a result away that the database takes its time with, until it has it', async () => {
    const folder = join(patchbay.settings.DATA_DIR, 'spill')
    const kept = () => readdir(folder).catch((): string[] => [])
    const id = await connectTo(patchbay, upstream)
    const row = await rowOf(patchbay, id)
    settling = createGate()
    const refreshing = patchbay.request('POST', `/api/v1/connectors/${id}/refresh`)
    const name = `${row.id}.${row.grant_epoch}.0`
    await until('the result to be put away', async () => (await kept()).includes(name))
    expect(await kept()).to.deep.equal([name])
    expect((await rowOf(patchbay, id)).token_version).to.equal(0)
    settling.open()
    expect((await refreshing).body.state).to.equal('connected')
    expect((await rowOf(patchbay, id)).token_version).to.equal(1)
    expect(await kept()).to.deep.equal([])
  })
})

describe('a refresh whose end nobody saw', () => {
  // @guards src/storage/lease-store.ts:takeCutOff
  it('REL-03: goes before everything that a run was told to do', async () => {
    const patchbay = await startPatchbay()
    const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    try {
      const plain = await connectTo(patchbay, upstream, { label: 'plain' })
      const cut = await connectTo(patchbay, upstream, { label: 'cut off' })
      await updateRow(patchbay, plain, "next_refresh_at = now() - interval '1 minute'")
      const { due, runRefreshes } = patchbay.app.refreshing
      const [batch] = await due.claim(new Date(Date.now() + 1000), { perIssuer: 100, claimMs: 60_000 })
      if (batch === undefined) throw new Error('one was due')
      await updateRow(patchbay, cut, "next_refresh_at = now(), refresh_started_at = now() - interval '16 seconds'")
      const { ended } = await runRefreshes(batch)
      expect(ended).to.deep.equal({ refreshed: 2 })
      const spent = upstream.tokenRequests.map(({ form }) => form.refresh_token).filter((token) => token !== undefined)
      expect(spent).to.deep.equal([upstream.refreshTokens[1], upstream.refreshTokens[0]])
    } finally {
      await upstream.close()
      await patchbay.close()
    }
  })

  // @guards src/storage/due-store.ts:createPostgresDueStore
  it('REL-03: is found again within seconds when the job that it was claimed into is lost as well', async () => {
    const patchbay = await startPatchbay()
    const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    try {
      const cut = await connectTo(patchbay, upstream, { label: 'cut off' })
      const plain = await connectTo(patchbay, upstream, { label: 'plain' })
      await updateRow(patchbay, cut, "next_refresh_at = now(), refresh_started_at = now() - interval '16 seconds'")
      await updateRow(patchbay, plain, "next_refresh_at = now() - interval '1 minute'")
      const now = new Date(Date.now() + 1000)
      const batches = await patchbay.app.refreshing.due.claim(now, { perIssuer: 100, claimMs: 60_000 })
      const claimed = batches.flatMap(({ references }) => references.map(({ id }) => id))
      expect(claimed, 'it comes first').to.deep.equal([
        (await rowOf(patchbay, cut)).id,
        (await rowOf(patchbay, plain)).id,
      ])
      const again = async () => {
        const found = await patchbay.app.refreshing.due.claim(now, { perIssuer: 100, claimMs: 60_000 })
        return found.flatMap(({ references }) => references).length
      }
      const jobIsOlderBy = (seconds: number) =>
        withConnection(patchbay.databaseUrl, (client) =>
          client.query(`UPDATE issuers SET queued_until = queued_until - $1 * interval '1 second'`, [seconds]),
        )
      expect(await again(), 'the job is on its way').to.equal(0)
      await jobIsOlderBy(5)
      expect(await again(), 'the job is lost').to.equal(2)
      await updateRow(patchbay, cut, "next_refresh_at = now() + interval '1 hour', refresh_started_at = NULL")
      await jobIsOlderBy(5)
      expect(await again()).to.equal(1)
      await jobIsOlderBy(50)
      expect(await again(), 'a control: what nobody had begun can wait').to.equal(0)
      await jobIsOlderBy(10)
      expect(await again()).to.equal(1)
    } finally {
      await upstream.close()
      await patchbay.close()
    }
  })
})
