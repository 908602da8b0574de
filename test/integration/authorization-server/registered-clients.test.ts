import { expect } from 'chai'
import { type HostProfile, hostProfiles } from '../../../src/authorization-server/host-profiles.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'
import { createTestClock, type TestClock } from '../../support/test-clock.ts'

const day = 86_400_000

describe('clients that registered themselves', function () {
  this.timeout(60_000)
  let clock: TestClock
  let patchbay: Patchbay
  let connector: string
  let host: RawHost

  before(async () => {
    clock = createTestClock()
    patchbay = await startPatchbay({ clock, env: { REGISTRATIONS_PER_MINUTE: '10000', ACCESS_TOKEN_TTL: '7200' } })
    connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', {
      credential_scope: 'tenant',
      label: 'Notes of <Alice>',
    })
    host = createRawHost(patchbay, connector)
  })
  after(() => patchbay.close())

  const isKept = (clientId: string) =>
    withConnection(patchbay.databaseUrl, async (client) => {
      const { rowCount } = await client.query('SELECT 1 FROM oauth_clients WHERE client_id = $1', [clientId])
      return rowCount === 1
    })

  // @guards src/storage/authorization-server-stores.ts:createPrismaOauthClientStore
  it('RG-05: lapse after a day unused, and never while something was granted to them', async () => {
    const [unused, used] = [(await host.register()).body.client_id, (await host.register()).body.client_id]
    const { body } = await host.redeem(used, await host.authorize(used))
    clock.advance(25 * 3_600_000)
    await host.register()
    expect(await isKept(unused)).to.equal(false)
    expect((await host.refresh(used, body.refresh_token)).status).to.equal(200)
    clock.advance(-25 * 3_600_000)
  })

  it('RG-05: one that is gone is told so at the token endpoint, so that the host registers anew', async () => {
    const { status, body } = await host.refresh('gone', 'any')
    expect([status, body.error]).to.deep.equal([401, 'invalid_client'])
  })

  // @guards src/authorization-server/register-client.ts:createRegisterOauthClient
  it('RG-06: may register at each attempt: each is good, and the old ones go', async () => {
    const ids = []
    for (let count = 0; count < 60; count += 1) ids.push((await host.register()).body.client_id)
    expect(new Set(ids).size).to.equal(60)
    clock.advance(2 * day)
    for (let count = 0; count < 3; count += 1) await host.register()
    const kept = await Promise.all(ids.map(isKept))
    expect(kept.filter(Boolean)).to.deep.equal([])
    clock.advance(-2 * day)
  })

  // @guards src/authorization-server/resource-server.ts:createResourceServerInfo
  it('RT-10: access tokens live as long as the operator says', async () => {
    const clientId = (await host.register()).body.client_id
    const { body } = await host.redeem(clientId, await host.authorize(clientId))
    expect(body.expires_in).to.equal(7200)
    expect((await host.refresh(clientId, body.refresh_token)).body.expires_in).to.equal(7200)
  })

  describe('what well-known hosts register', () => {
    const perConnection = 'https://chatgpt.com/connector/oauth/abc_DEF-123'
    const profiles: Pick<HostProfile, 'title' | 'metadata'>[] = [
      ...hostProfiles,
      { title: 'ChatGPT, a redirect for each connection', metadata: { redirect_uris: [perConnection] } },
    ]
    for (const { title, metadata } of profiles) {
      // @guards src/authorization-server/client-metadata.ts:readClientMetadata
      it(`RG-12: ${title} is accepted, and asked about at each of its redirects`, async () => {
        const { status, body } = await host.register({
          ...metadata,
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          scope: 'mcp',
        })
        expect(status, JSON.stringify(body)).to.equal(201)
        expect(body).to.not.have.property('client_secret')
        for (const redirect of metadata.redirect_uris) {
          const isAnyPort = /^http:\/\/(localhost|127\.0\.0\.1)/.test(redirect)
          const asked = isAnyPort ? redirect.replace(/^(http:\/\/[^/:]+)(:\d+)?/, '$1:49152') : redirect
          const url = host.authorizationUrl(body.client_id, { redirect_uri: asked })
          expect((await hostBrowser().open(url)).title, asked).to.equal('Who are you?')
        }
      })
    }
  })

  describe('GET /api/v1/connectors/{id}/install', () => {
    type Guide = { id: string; reachable: boolean; ways: { kind: string; value: string }[] }
    it('gives a way into every host that we know, with the URL filled in', async () => {
      const { status, body } = await patchbay.request('GET', `/api/v1/connectors/${connector}/install`)
      expect(status).to.equal(200)
      expect(body.mcp_url).to.equal(host.resource)
      const hosts: Guide[] = body.hosts
      expect(hosts.map(({ id }) => id)).to.deep.equal(hostProfiles.map(({ id }) => id))
      for (const { id, ways } of hosts) {
        const texts = ways.map(({ value }) => decodeURIComponent(value))
        const config = texts.map((text) => /config=([\w+/=]+)/.exec(text)?.[1]).find((found) => found !== undefined)
        if (config !== undefined) texts.push(Buffer.from(config, 'base64').toString())
        expect(
          texts.some((text) => text.includes(host.resource)),
          id,
        ).to.equal(true)
        expect(texts.join(), 'names are harmless in a shell').to.not.include('<Alice>')
      }
      expect(hosts.find(({ id }) => id === 'claude')?.reachable, 'from elsewhere, on loopback').to.equal(false)
      expect(hosts.find(({ id }) => id === 'cursor')?.reachable).to.equal(true)
    })

    it('is not there for who does not see the connector', async () => {
      const key = await patchbay.createKey({ subject: 'eve', tenant: 'elsewhere' })
      expect((await patchbay.request('GET', `/api/v1/connectors/${connector}/install`, { key })).status).to.equal(404)
    })
  })
})
