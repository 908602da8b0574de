import { expect } from 'chai'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost, type TokenReply } from '../../support/raw-host.ts'
import { createTestClock, type TestClock } from '../../support/test-clock.ts'

const second = 1000
const day = 86_400 * second

describe('refresh tokens of ours', () => {
  let clock: TestClock
  let patchbay: Patchbay
  let twin: Patchbay
  let host: RawHost
  let clientId: string

  before(async () => {
    clock = createTestClock()
    patchbay = await startPatchbay({ clock, env: { REGISTRATIONS_PER_MINUTE: '1000' } })
    twin = await startPatchbay({ clock, sharing: patchbay, env: { PUBLIC_URL: patchbay.url } })
    const connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    host = createRawHost(patchbay, connector)
    clientId = (await host.register()).body.client_id
  })
  after(async () => {
    await twin.close()
    await patchbay.close()
  })

  const family = async () => (await host.redeem(clientId, await host.authorize(clientId))).body
  const refused = { status: 400, error: 'invalid_grant' }
  const outcome = ({ status, body }: TokenReply) => ({ status, error: body.error })

  // @guards src/authorization-server/rotate-refresh-token.ts:createRotateRefreshToken
  it('RT-01: are random, change with each use, and lie in the database as hashes only', async () => {
    const first = await family()
    const { body: next } = await host.refresh(clientId, first.refresh_token)
    expect(first.refresh_token).to.match(/^[\w-]{43}$/)
    expect(next.refresh_token)
      .to.match(/^[\w-]{43}$/)
      .and.not.equal(first.refresh_token)
    const dump = await withConnection(patchbay.databaseUrl, async (client) => {
      const { rows } = await client.query('SELECT * FROM oauth_artifacts')
      return JSON.stringify(rows)
    })
    expect(dump).to.include('RefreshToken')
    for (const token of [first.refresh_token, next.refresh_token, next.access_token]) expect(dump).not.to.include(token)
  })

  // @guards src/authorization-server/rotate-refresh-token.ts:createRotateRefreshToken
  it('RT-03: give the same successor again within the grace', async () => {
    const first = await family()
    const { body: next } = await host.refresh(clientId, first.refresh_token)
    expect((await host.refresh(clientId, first.refresh_token)).body).to.deep.equal(next)
    expect((await host.refresh(clientId, next.refresh_token)).status).to.equal(200)
  })

  it('RT-03: give nothing for an older generation, though the window is open', async () => {
    const first = await family()
    const { body: second } = await host.refresh(clientId, first.refresh_token)
    await host.refresh(clientId, second.refresh_token)
    expect(outcome(await host.refresh(clientId, first.refresh_token))).to.deep.equal(refused)
  })

  // @guards src/authorization-server/rotate-refresh-token.ts:createRotateRefreshToken
  it('RT-04: end the family on reuse after the grace, whoever comes first', async () => {
    for (const comesFirst of ['thief', 'owner']) {
      const first = await family()
      const { body: next } = await host.refresh(clientId, first.refresh_token)
      clock.advance(31 * second)
      const latest = comesFirst === 'owner' ? (await host.refresh(clientId, next.refresh_token)).body : next
      expect(await host.call(latest.access_token), 'control').to.equal(200)
      expect(outcome(await host.refresh(clientId, first.refresh_token)), comesFirst).to.deep.equal(refused)
      expect(outcome(await host.refresh(clientId, latest.refresh_token)), comesFirst).to.deep.equal(refused)
      await host.refused(latest.access_token)
    }
  })

  // @guards src/authorization-server/rotate-refresh-token.ts:createRotateRefreshToken
  it('RT-05: are not hurt by another client that presents them', async () => {
    const first = await family()
    const { body: next } = await host.refresh(clientId, first.refresh_token)
    clock.advance(31 * second)
    const stranger = (await host.register()).body.client_id
    for (const token of [first.refresh_token, next.refresh_token])
      expect(outcome(await host.refresh(stranger, token))).to.deep.equal(refused)
    expect((await host.refresh(clientId, next.refresh_token)).status).to.equal(200)
  })

  // @guards src/storage/authorization-server-stores.ts:createPrismaArtifactStore
  it('RT-02, RT-06: fifty parallel refreshes over two processes get one successor, and the family lives', async () => {
    const first = await family()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        host.refresh(clientId, first.refresh_token, {}, index % 2 === 0 ? patchbay.url : twin.url),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]))
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).to.equal(1)
    expect((await host.refresh(clientId, answers[0]?.body.refresh_token)).status).to.equal(200)
  })

  // @guards src/authorization-server/rotate-refresh-token.ts:createRotateRefreshToken
  it('RT-07: are refused with invalid_grant and nothing else', async () => {
    const first = await family()
    for (const token of ['unknown', 'x'.repeat(43), first.access_token])
      expect(outcome(await host.refresh(clientId, token)), token.slice(0, 8)).to.deep.equal(refused)
    clock.advance(91 * day)
    expect(outcome(await host.refresh(clientId, first.refresh_token)), 'idle for 91 days').to.deep.equal(refused)
    clock.advance(-91 * day)
  })

  it('RT-01: live on while they are used, but for a year at most', async () => {
    let current = await family()
    for (const days of [80, 80, 80, 80]) {
      clock.advance(days * day)
      const { status, body } = await host.refresh(clientId, current.refresh_token)
      expect(status).to.equal(200)
      current = body
    }
    clock.advance(50 * day)
    expect(outcome(await host.refresh(clientId, current.refresh_token))).to.deep.equal(refused)
    clock.advance(-370 * day)
  })

  // @guards src/authorization-server/oidc-adapter.ts:createOidcAdapter
  it('RT-08: revoking one ends its family; a stranger’s revocation changes nothing', async () => {
    const first = await family()
    const stranger = (await host.register()).body.client_id
    const revoke = (client: string, token: string) => host.post('/oauth/revoke', { client_id: client, token })
    expect((await revoke(stranger, first.refresh_token)).status).to.equal(200)
    expect((await revoke(stranger, first.access_token)).status).to.equal(200)
    expect((await revoke(clientId, 'unknown')).status).to.equal(200)
    expect(await host.call(first.access_token), 'control').to.equal(200)
    expect((await revoke(clientId, first.refresh_token)).status).to.equal(200)
    await host.refused(first.access_token)
    expect(outcome(await host.refresh(clientId, first.refresh_token))).to.deep.equal(refused)
  })

  it('RT-08: a refresh and a revocation at once leave nothing that works', async () => {
    for (let round = 0; round < 5; round += 1) {
      const first = await family()
      const [refreshed] = await Promise.all([
        host.refresh(clientId, first.refresh_token),
        host.post('/oauth/revoke', { client_id: clientId, token: first.refresh_token }),
      ])
      if (refreshed.status !== 200) continue
      await host.refused(refreshed.body.access_token)
      expect(outcome(await host.refresh(clientId, refreshed.body.refresh_token))).to.deep.equal(refused)
    }
  })

  // @guards src/authorization-server/authorization-server.ts:protocol
  it('RT-09: come without offline_access', async () => {
    expect(await family())
      .to.include({ scope: 'mcp' })
      .and.to.have.property('refresh_token')
  })

  // @guards src/authorization-server/rotate-refresh-token.ts:narrowedScope
  it('PK-07: may ask for less, never for more, nor for another resource', async () => {
    const first = await family()
    const ask = (change: Record<string, string>) => host.refresh(clientId, first.refresh_token, change)
    expect(outcome(await ask({ scope: 'mcp admin' }))).to.deep.equal({ status: 400, error: 'invalid_scope' })
    expect(outcome(await ask({ resource: `${host.resource}x` }))).to.deep.equal({
      status: 400,
      error: 'invalid_target',
    })
    expect((await ask({ scope: 'mcp', resource: host.resource })).status).to.equal(200)
  })

  it('introspects access tokens to their own client only', async () => {
    const first = await family()
    const secretive = (await host.register({ token_endpoint_auth_method: 'client_secret_post' })).body
    const introspect = (client: Record<string, string>) =>
      host.post('/oauth/introspect', { ...client, token: first.access_token })
    expect(
      (await introspect({ client_id: secretive.client_id, client_secret: secretive.client_secret })).body,
    ).to.deep.equal({ active: false })
    expect((await introspect({ client_id: clientId })).body).to.include({
      active: true,
      aud: host.resource,
      scope: 'mcp',
    })
  })
})
