import { expect } from 'chai'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectNothingStored } from '../support/table-counts.ts'

const webhooks = '/api/v1/webhooks'
const url = 'https://receiver.example/hooks'

describe('the webhooks API', () => {
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const post = (path: string, body?: unknown, key = patchbay.admin) => patchbay.request('POST', path, { key, body })
  const make = async (fields: object = {}, key = patchbay.admin) => (await post(webhooks, { url, ...fields }, key)).body

  afterEach(async () => {
    const { body } = await patchbay.request('GET', webhooks)
    for (const { id } of body.items) await patchbay.request('DELETE', `${webhooks}/${id}`)
  })

  describe(`POST ${webhooks}`, () => {
    it('makes a webhook that is switched on and hears of everything', async () => {
      const { status, body } = await post(webhooks, { url, description: 'ours' })
      expect(status).to.equal(201)
      expect(body).to.include({ url, description: 'ours', enabled: true, disabled_code: null, failing_since: null })
      expect(body.event_types).to.deep.equal([])
    })

    // @guards src/webhooks/webhook-secrets.ts:sealSigningSecret
    it('CR-01: shows the secret once, and keeps it sealed and out of the log', async () => {
      const made = await make()
      expect(made.secret).to.match(/^whsec_[A-Za-z0-9+/]{43}=$/)
      const answers = [
        await patchbay.request('GET', webhooks),
        await patchbay.request('GET', `${webhooks}/${made.id}`),
        await patchbay.request('PATCH', `${webhooks}/${made.id}`, { body: { description: 'x' } }),
      ]
      for (const { status, text } of answers) {
        expect(status).to.equal(200)
        expect(text).to.include(made.id).and.not.include('whsec_').and.not.include('sealed')
      }
      const stored = await patchbay.app.webhooks.list((await patchbay.app.access.ensureTenant('default', '')).id)
      expect(JSON.stringify(stored)).to.include('v1.test.').and.not.include(made.secret.slice(6))
      expect(patchbay.logs.join('')).to.not.include(made.secret.slice(6))
    })

    const refusals: readonly (readonly [what: string, body: object, code: string])[] = [
      ['no URL', { url: 'receiver' }, 'url_invalid'],
      ['another scheme', { url: 'ftp://receiver.example/' }, 'url_invalid'],
      ['plain http', { url: 'http://receiver.example/' }, 'url_not_allowed'],
      ['a user name', { url: 'https://me@receiver.example/' }, 'url_invalid'],
      ['a private address', { url: 'https://10.0.0.1/' }, 'url_not_allowed'],
      ['the metadata service', { url: 'https://169.254.169.254/' }, 'url_not_allowed'],
      ['this installation itself', { url: '<own>' }, 'url_not_allowed'],
      ['an unknown event type', { url, event_types: ['connector.eaten'] }, 'invalid_request'],
      ['refreshes that worked', { url, event_types: ['connector.refreshed'] }, 'invalid_request'],
      ['an unknown field', { url, secret: 'mine' }, 'invalid_request'],
    ]
    for (const [what, body, code] of refusals) {
      it(`refuses ${what}, and stores nothing`, async () => {
        const given = 'url' in body && body.url === '<own>' ? { url: `${patchbay.url}/api/v1/doctor` } : body
        const answer = await expectNothingStored(patchbay.databaseUrl, () => post(webhooks, given))
        expect([answer.status, answer.body.code]).to.deep.equal([400, code])
      })
    }

    it('stops at 20, however many are made at once', async () => {
      const answers = await Promise.all(Array.from({ length: 24 }, () => post(webhooks, { url })))
      expect(answers.filter(({ status }) => status === 201)).to.have.length(20)
      expect(answers.filter(({ body }) => body.code === 'webhook_limit')).to.have.length(4)
    })
  })

  describe(`PATCH ${webhooks}/{id}`, () => {
    it('changes what is named and leaves the rest', async () => {
      const { id } = await make({ event_types: ['connector.connected'], description: 'a' })
      const { body } = await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { description: 'b' } })
      expect(body).to.deep.include({ url, event_types: ['connector.connected'], description: 'b', enabled: true })
    })

    it('switches off, saying so, and on again', async () => {
      const { id } = await make()
      const patch = async (enabled: boolean) =>
        (await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { enabled } })).body
      const off = await patch(false)
      expect(off).to.include({ enabled: false, disabled_code: 'client_request' })
      expect(off.disabled_reason).to.include('enabled')
      expect(await patch(true)).to.include({ enabled: true, disabled_code: null, disabled_reason: null })
    })

    it('judges a new URL as the first one', async () => {
      const { id } = await make()
      const answer = await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { url: 'https://10.1.2.3/' } })
      expect(answer.body.code).to.equal('url_not_allowed')
      expect((await patchbay.request('GET', `${webhooks}/${id}`)).body.url).to.equal(url)
    })
  })

  describe(`POST ${webhooks}/{id}/rotate-secret`, () => {
    it('shows another secret, and until when both sign', async () => {
      const made = await make()
      const { body } = await post(`${webhooks}/${made.id}/rotate-secret`, { overlap_seconds: 60 })
      expect(body.secret)
        .to.match(/^whsec_/)
        .and.not.equal(made.secret)
      expect(Date.parse(body.previous_secret_expires_at) - Date.now()).to.be.within(1, 60_000)
    })

    it('lets one of several at once replace the secret', async () => {
      const { id } = await make()
      const answers = await Promise.all(Array.from({ length: 5 }, () => post(`${webhooks}/${id}/rotate-secret`)))
      const codes = new Set(answers.map(({ status, body }) => (status === 200 ? 'replaced' : body.code)))
      expect(answers.some(({ status }) => status === 200)).to.equal(true)
      expect([...codes].filter((code) => code !== 'replaced' && code !== 'conflict')).to.deep.equal([])
    })
  })

  describe('while it is switched off', () => {
    it('sends nothing on request', async () => {
      const { id } = await make()
      await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { enabled: false } })
      for (const [path, body] of [
        [`${webhooks}/${id}/test`, undefined],
        [`${webhooks}/${id}/replay`, { since: '2026-01-01T00:00:00Z' }],
      ] as const) {
        const answer = await expectNothingStored(patchbay.databaseUrl, () => post(path, body))
        expect(answer.body.code).to.equal('conflict')
      }
    })
  })

  describe('for others', () => {
    // @guards src/storage/webhook-store.ts:createPrismaWebhookStore
    it('TN-02: another tenant finds nothing of it, whatever it asks', async () => {
      const { id } = await make()
      const stranger = await patchbay.createKey({
        subject: 'stranger',
        kind: 'service',
        role: 'admin',
        tenant: 'other',
      })
      const { body: delivery } = await post(`${webhooks}/${id}/test`)
      const asked: readonly (readonly [method: string, path: string, body?: object])[] = [
        ['GET', ''],
        ['PATCH', '', { enabled: false }],
        ['DELETE', ''],
        ['POST', '/rotate-secret'],
        ['POST', '/test'],
        ['GET', '/deliveries'],
        ['POST', '/replay', { since: '2026-01-01T00:00:00Z' }],
        ['POST', `/deliveries/${delivery.id}/replay`],
      ]
      for (const [method, path, body] of asked) {
        const answer = await expectNothingStored(patchbay.databaseUrl, () =>
          patchbay.request(method, `${webhooks}/${id}${path}`, { key: stranger, body }),
        )
        expect([method, path, answer.status]).to.deep.equal([method, path, 404])
      }
      expect((await patchbay.request('GET', webhooks, { key: stranger })).body.total_count).to.equal(0)
      expect((await patchbay.request('GET', `${webhooks}/${id}`)).body.enabled).to.equal(true)
    })

    // @guards src/access/rights.ts:requireScope
    it('TN-04: members are refused, and so is an administrator whose key lacks the scope', async () => {
      const member = await patchbay.createKey({ subject: 'member' })
      const reader = await patchbay.createKey({ subject: 'reader', role: 'admin', scopes: ['connectors:read'] })
      for (const key of [member, reader]) {
        expect((await patchbay.request('GET', webhooks, { key })).status).to.equal(403)
        expect((await post(webhooks, { url }, key)).status).to.equal(403)
      }
    })

    it('a key with the one scope may, and one with `admin` alone', async () => {
      for (const scope of ['webhooks', 'admin'] as const) {
        const key = await patchbay.createKey({ subject: scope, kind: 'service', role: 'admin', scopes: [scope] })
        expect((await patchbay.request('GET', webhooks, { key })).status, scope).to.equal(200)
      }
    })
  })
})
