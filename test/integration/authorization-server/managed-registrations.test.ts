import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser, hostCallback } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'
import { runCli } from '../../support/run-cli.ts'

const otherCallback = 'https://host.example/callback'

describe('what becomes of a registration', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let host: RawHost

  before(async () => {
    patchbay = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '50' } })
    host = createRawHost(
      patchbay,
      await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' }),
    )
  })
  after(() => patchbay.close())

  type Registered = { client_id: string; registration_access_token: string; registration_client_uri: string }
  async function register(metadata: object = {}): Promise<Registered & { path: string; client_secret?: string }> {
    const { body } = await host.register(metadata)
    return { ...body, path: new URL(body.registration_client_uri).pathname }
  }
  const metadataOf = (client: Registered, change: object = {}) => ({
    client_id: client.client_id,
    client_name: 'Changed',
    redirect_uris: [hostCallback],
    ...change,
  })

  describe('registration_client_uri (RFC 7592)', () => {
    // @guards src/authorization-server/manage-registration.ts:createManageRegistration
    it('RG-03: shows, with the token that came with it, what is registered, and no secret', async () => {
      const client = await register({ token_endpoint_auth_method: 'client_secret_post' })
      expect(client.registration_client_uri).to.equal(`${patchbay.url}/oauth/register/${client.client_id}`)
      expect(client.client_secret).to.match(/^[\w-]{43}$/)
      const { status, body } = await host.ask('GET', client.path, { bearer: client.registration_access_token })
      expect(status).to.equal(200)
      const {
        client_secret: _,
        client_secret_expires_at: __,
        path: ___,
        ...rest
      } = client as object & Registered & Record<string, unknown>
      expect(body).to.deep.equal(rest)
    })

    it('RG-03: is kept as a hash only', async () => {
      const { registration_access_token: token } = await register()
      const dump = await withConnection(patchbay.databaseUrl, async (client) => {
        const { rows } = await client.query('SELECT * FROM oauth_clients')
        return JSON.stringify(rows)
      })
      expect(token).to.match(/^[\w-]{43}$/)
      expect(dump).to.not.include(token)
    })

    // @guards src/authorization-server/manage-registration.ts:createManageRegistration
    it('RG-03: answers nobody else, and does not tell whether there is such a client', async () => {
      const [client, other] = [await register(), await register()]
      const answers = await Promise.all([
        host.ask('GET', client.path, { bearer: other.registration_access_token }),
        host.ask('GET', client.path, {}),
        host.ask('PUT', client.path, { bearer: 'wrong', json: metadataOf(client) }),
        host.ask('DELETE', client.path, { bearer: 'wrong' }),
        host.ask('GET', '/oauth/register/nobody', { bearer: client.registration_access_token }),
      ])
      for (const { status, body } of answers) {
        expect([status, body.error]).to.deep.equal([401, 'invalid_token'])
        expect(body).to.deep.equal(answers[0]?.body)
      }
      const own = await host.ask('GET', client.path, { bearer: client.registration_access_token })
      expect(own.status, 'control').to.equal(200)
    })

    // @guards src/storage/authorization-server-stores.ts:createPrismaOauthClientStore
    it('RG-02: changes what is registered, judged as at the first time', async () => {
      const client = await register()
      const put = (change: object) =>
        host.ask('PUT', client.path, { bearer: client.registration_access_token, json: metadataOf(client, change) })
      const { status, body } = await put({ redirect_uris: [otherCallback] })
      expect([status, body.client_name, body.redirect_uris]).to.deep.equal([200, 'Changed', [otherCallback]])
      expect((await hostBrowser().open(host.authorizationUrl(client.client_id))).title).to.equal(
        'This app cannot be answered',
      )
      const asked = host.authorizationUrl(client.client_id, { redirect_uri: otherCallback })
      expect((await hostBrowser().open(asked)).title).to.equal('Who are you?')
      for (const change of [
        { client_id: 'another' },
        { registration_access_token: 'mine' },
        { registration_client_uri: 'https://evil.example' },
        { client_secret: 'guess' },
        { redirect_uris: ['http://evil.example/cb'] },
        { redirect_uris: [] },
        { token_endpoint_auth_method: 'tls_client_auth' },
      ])
        expect((await put(change)).status, JSON.stringify(change)).to.equal(400)
      const confidential = await put({ token_endpoint_auth_method: 'client_secret_post' })
      expect(confidential.body.client_secret).to.match(/^[\w-]{43}$/)
    })

    // @guards src/storage/authorization-server-stores.ts:createPrismaOauthClientStore
    it('RG-05: deletes the client, and ends what was granted to it', async () => {
      const client = await register()
      const { body: tokens } = await host.redeem(client.client_id, await host.authorize(client.client_id))
      expect(await host.call(tokens.access_token)).to.equal(200)
      const remove = () => host.ask('DELETE', client.path, { bearer: client.registration_access_token })
      expect((await remove()).status).to.equal(204)
      expect((await remove()).status).to.equal(401)
      await host.refused(tokens.access_token)
      const { status, body } = await host.refresh(client.client_id, tokens.refresh_token)
      expect([status, body.error]).to.deep.equal([401, 'invalid_client'])
    })
  })

  // @guards src/authorization-server/manage-registration.ts:createManageRegistration
  it('RG-04: asking for registrations is bounded too, whoever’s they are', async () => {
    const guarded = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '3' } })
    try {
      const { ask } = createRawHost(guarded, '01900000-0000-7000-8000-000000000000')
      const statuses: number[] = []
      for (let count = 0; count < 8; count += 1)
        statuses.push((await ask('GET', '/oauth/register/x', { bearer: 'guess' })).status)
      // a minute may have begun in between
      expect(statuses.slice(0, 3)).to.deep.equal([401, 401, 401])
      expect(statuses).to.include(429)
    } finally {
      await guarded.close()
    }
  })

  // @guards src/authorization-server/registration-limit.ts:createRegistrationLimit
  it('RG-04: is bounded for each address behind a proxy of ours; a network that many share has more', async () => {
    const proxied = await startPatchbay({ env: { REGISTRATIONS_PER_MINUTE: '2', TRUSTED_PROXIES: '1' } })
    const metadata = { redirect_uris: [hostCallback] }
    const registerFrom = async (address: string, count: number) => {
      const statuses: number[] = []
      for (let index = 0; index < count; index += 1) {
        const headers = { 'x-forwarded-for': `198.51.100.${index}, ${address}` }
        statuses.push((await proxied.request('POST', '/oauth/register', { key: null, body: metadata, headers })).status)
      }
      return statuses
    }
    try {
      // a minute may begin in between, so that up to four are taken
      expect(await registerFrom('203.0.113.7', 6)).to.include(429)
      expect(await registerFrom('203.0.113.8', 1)).to.deep.equal([201])
      expect(new Set(await registerFrom('160.79.104.10', 12))).to.deep.equal(new Set([201]))
    } finally {
      await proxied.close()
    }
  })

  // @guards src/authorization-server/make-client.ts:createMakeClient
  it('RG-03: a client can be made by an operator: it works, is not deleted unused, and ends when it is deleted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clients '))
    const { DATABASE_URL = '', ENCRYPTION_KEYS = '' } = patchbay.env
    const run = (...args: string[]) => runCli(['clients', ...args], { folder, env: { DATABASE_URL, ENCRYPTION_KEYS } })
    try {
      const made = await run('create', '--name', 'By hand', '--redirect-uri', hostCallback, '--secret', '--json')
      const { client_id: id, client_secret: secret } = JSON.parse(made.stdout)
      const code = await host.authorize(id)
      expect((await host.redeem(id, code)).body.error).to.equal('invalid_client')
      const { body } = await host.redeem(id, code, { client_secret: secret })
      expect(await host.call(body.access_token)).to.equal(200)
      expect((await run('list')).stdout)
        .to.include(id)
        .and.not.include(secret)
      expect((await run('delete', id)).exitCode).to.equal(0)
      await host.refused(body.access_token)
      expect((await run('create', '--name', 'x', '--redirect-uri', 'javascript:alert(1)')).exitCode).to.equal(1)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
