import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { refreshJob, webhookJob } from '../../../src/queue/jobs.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, rowOf } from '../../support/refreshing.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

describe('a job that somebody put into the queue', () => {
  let bay: Patchbay
  let upstream: ScriptedOAuth
  before(async () => {
    bay = await startPatchbay()
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  after(async () => {
    await upstream.close()
    await bay.close()
  })

  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token').length

  // @guards src/storage/lease-store.ts:createPostgresLeaseStore
  it('TN-03: renews nothing of another tenant, and hears nothing of it', async () => {
    const id = await connectTo(bay, upstream)
    const row = await rowOf(bay, id)
    const reference = { id: row.id, tokenVersion: row.token_version }
    const { id: otherTenant } = await bay.app.access.ensureTenant('other', 'other')
    for (const tenantId of [otherTenant, randomUUID()]) {
      const report = await bay.app.refreshing.runRefreshes({
        issuer: upstream.origin,
        references: [{ tenantId, ...reference }],
      })
      expect(report.ended).to.deep.equal({})
      expect(JSON.stringify(report)).not.to.include(row.id)
    }
    expect(refreshes()).to.equal(0)
    expect((await rowOf(bay, id)).token_version).to.equal(row.token_version)
    // the control: the connection's own tenant
    const own = [{ tenantId: row.tenant_id, ...reference }]
    expect((await bay.app.refreshing.runRefreshes({ issuer: upstream.origin, references: own })).ended).to.deep.equal({
      refreshed: 1,
    })
    expect(refreshes()).to.equal(1)
  })

  // @guards src/queue/jobs.ts:refreshJob
  it('TN-03: can carry ids and versions only', () => {
    const reference = { tenantId: randomUUID(), id: randomUUID(), tokenVersion: 1 }
    const refresh = { issuer: 'https://as.example', references: [reference] }
    const webhook = { tenantId: randomUUID(), webhookId: randomUUID() }
    expect(refreshJob.schema.safeParse(refresh).success && webhookJob.schema.safeParse(webhook).success).to.equal(true)
    const bad = [
      { ...refresh, refresh_token: 'x' },
      { ...refresh, references: [{ ...reference, accessToken: 'x' }] },
      { ...refresh, references: [{ ...reference, id: { not: '' } }] },
    ]
    for (const data of bad) expect(refreshJob.schema.safeParse(data).success, JSON.stringify(data)).to.equal(false)
    for (const data of [
      { ...webhook, body: 'x' },
      { ...webhook, tenantId: '*' },
    ]) {
      expect(webhookJob.schema.safeParse(data).success, JSON.stringify(data)).to.equal(false)
    }
  })
})
