import { expect } from 'chai'
import type { ApiKey } from '../../../src/access/store.ts'
import { isAppError } from '../../../src/kernel/app-error.ts'
import type { Scope } from '../../../src/kernel/principal.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTestClock } from '../../support/test-clock.ts'

const connectors = '/api/v1/connectors'
const hour = 3_600_000

describe('API keys', () => {
  let patchbay: Patchbay
  const clock = createTestClock()
  before(async () => {
    patchbay = await startPatchbay({ clock })
  })
  after(() => patchbay.close())

  const statusWith = async (key: string) => (await patchbay.request('GET', connectors, { key })).status
  const tenantId = async () => (await patchbay.app.access.findTenant('default'))?.id ?? ''

  it('are stored as a hash: the key itself is in no table', async () => {
    const key = await patchbay.createKey({ subject: 'ann' })
    expect(key).to.match(/^pbk_[\w-]{43}$/)
    const { rows } = await withConnection(patchbay.databaseUrl, (client) => client.query('SELECT * FROM api_keys'))
    expect(rows.length).to.be.greaterThan(1)
    expect(JSON.stringify(rows)).to.not.include(key.slice(10))
  })

  it('work until they are revoked, and then at once no longer', async () => {
    const key = await patchbay.createKey({ subject: 'ann' })
    expect(await statusWith(key)).to.equal(200)
    const [newest] = await patchbay.app.access.listApiKeys(await tenantId())
    expect(newest).to.include({ label: 'ann', hint: key.slice(0, 10), revokedAt: null })
    expect(await patchbay.app.access.revokeApiKey(await tenantId(), newest?.id ?? '', clock.now())).to.equal(true)
    expect(await statusWith(key)).to.equal(401)
  })

  it('cannot be revoked by another tenant', async () => {
    const key = await patchbay.createKey({ subject: 'ann' })
    const [newest] = await patchbay.app.access.listApiKeys(await tenantId())
    const other = await patchbay.app.access.ensureTenant('other', 'Other')
    expect(await patchbay.app.access.revokeApiKey(other.id, newest?.id ?? '', clock.now())).to.equal(false)
    expect(await statusWith(key)).to.equal(200)
  })

  it('work to the very end of their life, and not after', async () => {
    const expiresAt = new Date(clock.now().getTime() + hour)
    const key = await patchbay.createKey({ subject: 'ann', expiresAt })
    clock.advance(hour - 5000)
    expect(await statusWith(key)).to.equal(200)
    clock.advance(5001)
    expect(await statusWith(key)).to.equal(401)
  })

  it('of one person are one principal, however many there are at once', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => patchbay.createKey({ subject: 'ann' })))
    const made = await Promise.all(
      keys.map((key, index) =>
        patchbay.request('POST', connectors, { key, body: { url: `https://a${index}.example` } }),
      ),
    )
    expect(new Set(made.map(({ body }) => body.created_by)).size).to.equal(1)
  })

  const refused: readonly (readonly [title: string, request: { scopes?: Scope[]; expiresAt?: Date }])[] = [
    ['a scope beyond the role', { scopes: ['admin'] }],
    ['an end in the past', { expiresAt: new Date(0) }],
  ]
  for (const [title, request] of refused) {
    it(`are refused with ${title}`, async () => {
      const failure = await patchbay.createKey({ subject: 'ann', ...request }).catch((error: unknown) => error)
      expect(isAppError(failure, 'invalid_request')).to.equal(true)
    })
  }

  describe('ADMIN_API_KEY', () => {
    const first = 'operator-key-one-with-32-characters-or-more'
    const second = 'operator-key-two-with-32-characters-or-more'
    const isOperators = ({ label, revokedAt }: ApiKey) => label === 'ADMIN_API_KEY' && revokedAt === null
    /** Replicas, each with one of the two values in its environment. */
    const replicas = new Map<string, Patchbay>()
    before(async () => {
      for (const key of [first, second])
        replicas.set(key, await startPatchbay({ sharing: patchbay, env: { ADMIN_API_KEY: key } }))
    })
    after(async () => {
      for (const replica of replicas.values()) await replica.close()
    })
    const statusWith = async (key: string) =>
      (await (replicas.get(key) ?? patchbay).request('GET', connectors, { key })).status
    const bootstrap = (key?: string) => patchbay.app.bootstrapAccess(key === undefined ? undefined : new Secret(key))

    it('is a key with just that value, of an administrator', async () => {
      await bootstrap(first)
      expect(await statusWith(first)).to.equal(200)
      const { body } = await (replicas.get(first) ?? patchbay).request('POST', connectors, {
        key: first,
        body: { url: 'https://a.example' },
      })
      expect(body).to.include({ credential_scope: 'tenant', client_id: null })
    })

    it('stays the same key from start to start', async () => {
      for (let start = 0; start < 3; start++) await bootstrap(first)
      const keys = await patchbay.app.access.listApiKeys(await tenantId())
      expect(keys.filter(isOperators)).to.have.length(1)
    })

    it('ends the value that was set before, and comes back when that is set again', async () => {
      await bootstrap(first)
      await bootstrap(second)
      expect([await statusWith(first), await statusWith(second)]).to.deep.equal([401, 200])
      await bootstrap(first)
      expect([await statusWith(first), await statusWith(second)]).to.deep.equal([200, 401])
    })

    it('ends when the setting is gone', async () => {
      await bootstrap(first)
      await bootstrap()
      expect(await statusWith(first)).to.equal(401)
    })

    it('leaves other keys alone', async () => {
      const key = await patchbay.createKey({ subject: 'ann' })
      await bootstrap(first)
      await bootstrap()
      expect(await statusWith(key)).to.equal(200)
    })

    it('is made once by replicas that start together on a new database', async () => {
      const fresh = await startPatchbay({ env: { ADMIN_API_KEY: first } })
      await Promise.all(Array.from({ length: 6 }, () => fresh.app.bootstrapAccess(new Secret(first))))
      const { id = '' } = (await fresh.app.access.findTenant('default')) ?? {}
      expect((await fresh.app.access.listApiKeys(id)).filter(isOperators)).to.have.length(1)
      expect((await fresh.request('GET', connectors, { key: first })).status).to.equal(200)
      await fresh.close()
    })
  })
})
