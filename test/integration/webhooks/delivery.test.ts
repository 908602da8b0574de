import { expect } from 'chai'
import { Webhook as Verifier } from 'standardwebhooks'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTestClock, type TestClock } from '../../support/test-clock.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts'

const webhooks = '/api/v1/webhooks'
const minute = 60_000
const day = 24 * 60 * minute

describe('createDeliverWebhook', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let receiver: WebhookReceiver
  let clock: TestClock
  let tenantId: string
  let count = 0

  before(async () => {
    clock = createTestClock()
    patchbay = await startPatchbay({ clock })
    tenantId = (await patchbay.app.access.ensureTenant('default', '')).id
  })
  after(() => patchbay.close())
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
  })
  afterEach(async () => {
    await receiver.close()
    for (const { id } of await patchbay.app.webhooks.list(tenantId)) {
      await patchbay.request('DELETE', `${webhooks}/${id}`)
    }
  })

  const post = async (path: string, body?: object) => (await patchbay.request('POST', webhooks + path, { body })).body
  const make = (fields: object = {}) => post('', { url: receiver.url, ...fields })
  const read = async (id: string) => (await patchbay.request('GET', `${webhooks}/${id}`)).body
  const deliveries = async (id: string, query = '') =>
    (await patchbay.request('GET', `${webhooks}/${id}/deliveries${query}`)).body.items
  const deliver = (id: string) => patchbay.app.deliverWebhook({ tenantId, id })
  const isDue = async (id: string) =>
    (await patchbay.app.webhooks.listDue(clock.now(), 100)).some((name) => name.id === id)
  /** Makes an event: `connector.created`. */
  const happen = (fields: Record<string, unknown> = {}) => {
    count += 1
    return createConnector(patchbay, `https://told-${count}.example/key-in-path`, fields)
  }
  const types = () => receiver.received.map(({ body }) => JSON.parse(body).type)

  // @guards src/webhooks/sign-message.ts:signedHeaders
  it('WH-01: sends what happened, signed so that a library of others accepts it', async () => {
    const { id, secret } = await make()
    const connectorId = await happen({ label: 'ours', metadata: { name: 'Told' } })
    expect(await deliver(id)).to.deep.equal({ delivered: 1, failed: 0 })

    const [message] = receiver.received
    if (message === undefined) throw new Error('nothing came')
    const payload = new Verifier(secret).verify(message.body, message.headers) as Record<string, unknown>
    expect(payload).to.have.keys('type', 'timestamp', 'data')
    expect(payload.type).to.equal('connector.created')
    expect(payload.data).to.deep.include({
      connector: {
        id: connectorId,
        label: 'ours',
        metadata: { name: 'Told' },
        preset_id: null,
        credential_scope: 'tenant',
      },
      connection: null,
    })
    expect(message.headers['content-type']).to.equal('application/json')
    const [delivery] = await deliveries(id)
    expect(delivery).to.include({ id: message.headers['webhook-id'], status: 'delivered', attempts: 1, error: null })
    expect(delivery).to.include({ response_status: 204, next_attempt_at: null, type: 'connector.created' })

    const forged = message.body.replace('ours', 'mine')
    expect(() => new Verifier(secret).verify(forged, message.headers)).to.throw()
    expect(() =>
      new Verifier(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(message.body, message.headers),
    ).to.throw()
  })

  // @guards src/webhooks/message.ts:writeMessage
  it('WH-02: holds no secret and no URL of the server', async () => {
    const { id } = await make()
    await happen({ client_id: 'client', client_secret: 'hidden-client-secret' })
    await deliver(id)
    expect(receiver.received).to.have.length(1)
    const sent = JSON.stringify(receiver.received)
    expect(sent).to.not.include('hidden-client-secret').and.not.include('key-in-path').and.not.include('pbk_')
  })

  // @guards src/webhooks/retry-schedule.ts:retryDelayMs
  it('WH-03: tries again after a failure, later each time, with the same id and a new time', async () => {
    const { id, secret } = await make()
    receiver.reply({ status: 500 }, { status: 503, headers: { 'retry-after': '1200' } }, { status: 200 })
    await happen()
    expect(await deliver(id)).to.deep.equal({ delivered: 0, failed: 1 })
    const [first] = await deliveries(id)
    expect(first).to.include({ status: 'pending', attempts: 1, response_status: 500, error: 'http_status' })
    expect(Date.parse(first.next_attempt_at) - clock.now().getTime()).to.be.within(4000, 5500)

    expect(await isDue(id)).to.equal(false)
    expect(await deliver(id), 'before its time').to.deep.equal({ delivered: 0, failed: 0 })
    clock.advance(6000)
    expect(await isDue(id)).to.equal(true)
    await deliver(id)
    const [second] = await deliveries(id)
    // five minutes by the schedule, twenty as asked for
    expect(Date.parse(second.next_attempt_at) - clock.now().getTime()).to.be.within(19 * minute, 20 * minute)
    clock.advance(20 * minute)
    expect(await deliver(id)).to.deep.equal({ delivered: 1, failed: 0 })

    const heads = receiver.received.map(({ headers }) => headers)
    expect(new Set(heads.map((headers) => headers['webhook-id'])).size).to.equal(1)
    const times = heads.map((headers) => Number(headers['webhook-timestamp']))
    expect(times[2]).to.be.greaterThan((times[0] ?? 0) + 1200)
    expect(new Set(receiver.received.map(({ body }) => body)).size).to.equal(1)
    expect(secret).to.be.a('string')
    expect((await deliveries(id))[0]).to.include({ status: 'delivered', attempts: 3 })
  })

  it('gives a message up after ten attempts in about three days, and the webhook lives', async () => {
    const { id } = await make()
    receiver.reply({ status: 500 })
    await happen()
    const startedAt = clock.now().getTime()
    for (let attempt = 0; attempt < 20; attempt += 1) {
      await deliver(id)
      const [{ next_attempt_at: next, status }] = await deliveries(id)
      if (status === 'failed') break
      clock.advance(Date.parse(next) - clock.now().getTime() + 1)
    }
    expect((await deliveries(id))[0]).to.include({ status: 'failed', attempts: 10, next_attempt_at: null })
    expect((clock.now().getTime() - startedAt) / day).to.be.within(3, 4)
    expect(await read(id)).to.include({ enabled: true })
    expect((await read(id)).failing_since).to.be.a('string')
  })

  it('WH-04: is switched off, with a reason, at 410, and after five days without a success', async () => {
    const [gone, failing] = [await make(), await make({ description: 'failing' })]
    receiver.reply({ status: 410 }, { status: 500 })
    await happen()
    await deliver(gone.id)
    expect(await read(gone.id)).to.include({ enabled: false, disabled_code: 'endpoint_gone' })
    expect((await read(gone.id)).disabled_reason).to.include('410')

    for (let days = 0; days <= 5; days += 1) {
      await happen()
      await deliver(failing.id)
      expect((await read(failing.id)).enabled, `day ${days}`).to.equal(days < 5)
      clock.advance(day + minute)
    }
    expect(await read(failing.id)).to.include({ enabled: false, disabled_code: 'endpoint_failing' })
    const before = receiver.received.length
    await happen()
    await deliver(failing.id)
    expect(receiver.received, 'switched off').to.have.length(before)
  })

  it('counts days of failure from the last success, and from the last long silence', async () => {
    const { id } = await make()
    for (const status of [500, 200, 500]) {
      receiver.reply({ status })
      await happen()
      await deliver(id)
      clock.advance(3 * day)
    }
    receiver.reply({ status: 500 })
    await happen()
    await deliver(id)
    expect((await read(id)).enabled).to.equal(true)
  })

  // @guards src/webhooks/deliver-webhook.ts:createDeliverWebhook
  it('WH-05: follows no redirect, and says why nothing arrived', async () => {
    const elsewhere = await startWebhookReceiver()
    try {
      const { id } = await make()
      receiver.reply({ status: 307, headers: { location: elsewhere.url } })
      await happen()
      await deliver(id)
      expect([receiver.received.length, elsewhere.received.length]).to.deep.equal([1, 0])
      expect((await deliveries(id))[0]).to.include({ status: 'pending', error: 'upstream_protocol_error' })
    } finally {
      await elsewhere.close()
    }
  })

  it('records an endpoint that nobody is at', async () => {
    const { id } = await make()
    await receiver.close()
    await happen()
    await deliver(id)
    expect((await deliveries(id))[0]).to.include({ error: 'upstream_unreachable', response_status: null })
    receiver = await startWebhookReceiver()
  })

  describe('the types that a webhook asks for', () => {
    it('are the only ones it gets', async () => {
      const { id } = await make({ event_types: ['connector.updated'] })
      const connectorId = await happen()
      await patchbay.request('PATCH', `/api/v1/connectors/${connectorId}`, { body: { label: 'b' } })
      await deliver(id)
      expect(types()).to.deep.equal(['connector.updated'])
    })

    // @guards src/storage/delivery-store.ts:createPrismaDeliveryStore
    it('WH-06: never include what happens to a person’s own connectors, or in another tenant', async () => {
      const { id } = await make()
      const alice = await patchbay.createKey({ subject: 'alice' })
      const stranger = await patchbay.createKey({ subject: 's', kind: 'service', role: 'admin', tenant: 'elsewhere' })
      await happen({ key: alice })
      await happen({ key: stranger })
      expect(await deliver(id)).to.deep.equal({ delivered: 0, failed: 0 })
      await happen()
      await deliver(id)
      expect(types(), 'negative control').to.deep.equal(['connector.created'])
    })

    it('leave out refreshes that worked', async () => {
      const { id } = await make()
      const connectorId = await happen()
      await deliver(id)
      await withConnection(patchbay.databaseUrl, (client) =>
        client.query(
          `INSERT INTO events (id, tenant_id, connector_id, type)
           SELECT gen_random_uuid(), tenant_id, id, unnest(ARRAY['connector.refreshed', 'connector.refresh_failed'])
           FROM connectors WHERE id = $1`,
          [connectorId],
        ),
      )
      await deliver(id)
      expect(types()).to.deep.equal(['connector.created', 'connector.refresh_failed'])
    })
  })

  // @guards src/webhooks/webhook-secrets.ts:openSigningSecrets
  it('WH-07: signs with both secrets while one takes over from the other, and then with the new one alone', async () => {
    const made = await make()
    const { secret } = await post(`/${made.id}/rotate-secret`, { overlap_seconds: 3600 })
    const verify = (withSecret: string) => {
      const { body, headers } = receiver.received.at(-1) ?? { body: '', headers: {} }
      const now = new Date(Number(headers['webhook-timestamp']) * 1000)
      const real = Date.now
      // the library looks at the clock itself
      Date.now = () => now.getTime()
      try {
        return new Verifier(withSecret).verify(body, headers)
      } finally {
        Date.now = real
      }
    }
    await happen()
    await deliver(made.id)
    expect(verify(secret)).to.be.an('object')
    expect(verify(made.secret)).to.be.an('object')
    clock.advance(3601_000)
    await happen()
    await deliver(made.id)
    expect(verify(secret)).to.be.an('object')
    expect(() => verify(made.secret)).to.throw()
  })

  it('sends a test message', async () => {
    const { id } = await make({ event_types: ['connector.updated'] })
    const { id: messageId } = await post(`/${id}/test`)
    await deliver(id)
    expect(receiver.received[0]?.headers['webhook-id']).to.equal(messageId)
    expect(JSON.parse(receiver.received[0]?.body ?? '')).to.deep.include({
      type: 'webhook.test',
      data: { webhook: { id } },
    })
  })

  describe('replay', () => {
    it('sends one again, as the same message', async () => {
      const { id } = await make()
      await happen()
      await deliver(id)
      const [{ id: messageId }] = await deliveries(id)
      expect(await post(`/${id}/deliveries/${messageId}/replay`)).to.include({ status: 'pending', attempts: 0 })
      await deliver(id)
      const [first, second] = receiver.received
      expect(second?.headers['webhook-id']).to.equal(first?.headers['webhook-id'])
      expect(second?.body).to.equal(first?.body)
      expect((await deliveries(id))[0]).to.include({ status: 'delivered', attempts: 1 })
    })

    it('since a time sends what failed and what was missed while off, and nothing else', async () => {
      const { id } = await make()
      await happen()
      await deliver(id)
      const arrived = receiver.received[0]?.headers['webhook-id']
      await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { enabled: false } })
      await happen()
      await patchbay.request('PATCH', `${webhooks}/${id}`, { body: { enabled: true } })
      await happen()
      await withConnection(patchbay.databaseUrl, (client) =>
        client.query(
          `UPDATE webhook_deliveries SET status = 'failed', next_attempt_at = NULL WHERE status = 'pending'`,
        ),
      )
      expect(await deliver(id), 'nothing by itself').to.deep.equal({ delivered: 0, failed: 0 })
      const since = new Date(Date.now() - 5000).toISOString()
      const answer = await post(`/${id}/replay`, { since })
      await deliver(id)
      const later = receiver.received.slice(1).map(({ headers }) => headers['webhook-id'])
      expect(later.length).to.equal(answer.replayed)
      expect(later).to.not.include(arrived)
      expect(await deliveries(id, '?status=failed')).to.deep.equal([])
      expect((await post(`/${id}/replay`, { since })).replayed, 'a second time').to.equal(0)
      expect((await post(`/${id}/replay`, { since: clock.now().toISOString() })).replayed).to.equal(0)
    })
  })

  // @guards src/storage/delivery-store.ts:createPrismaDeliveryStore
  it('WH-08: two workers at once send each message once', async () => {
    const { id } = await make()
    await Promise.all(Array.from({ length: 30 }, () => happen()))
    await Promise.all([deliver(id), deliver(id), deliver(id)])
    const ids = receiver.received.map(({ headers }) => headers['webhook-id'])
    expect([ids.length, new Set(ids).size]).to.deep.equal([30, 30])
  })

  it('never stands in the way of an event: a webhook that is being deleted, or deleted a moment ago', async () => {
    const { id } = await make()
    await withConnection(patchbay.databaseUrl, async (client) => {
      await client.query('BEGIN')
      await client.query('DELETE FROM webhooks WHERE id = $1', [id])
      // waits for nobody: the deletion is not committed yet
      await happen()
      await client.query('COMMIT')
    })
    await happen()
    expect(await isDue(id)).to.equal(false)
  })
})
