import { expect } from 'chai'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTestClock, type TestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts'
import { startWorker, type WorkerProcess } from '../../support/worker.ts'

const webhooks = '/api/v1/webhooks'
const claimMs = 60_000

describe('startWebhookWorker', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let receiver: WebhookReceiver
  let clock: TestClock
  let worker: WorkerProcess
  let tenantId: string

  before(async () => {
    clock = createTestClock()
    patchbay = await startPatchbay({ clock })
    tenantId = (await patchbay.app.access.ensureTenant('default', '')).id
  })
  after(() => patchbay.close())
  beforeEach(async () => {
    receiver = await startWebhookReceiver()
    // it has to be told: a sweep by itself comes too late for these tests
    worker = await startWorker(patchbay, { SWEEP_INTERVAL: '600' })
  })
  afterEach(async () => {
    await worker.kill()
    await receiver.close()
  })

  const make = async (url = receiver.url) => (await patchbay.request('POST', webhooks, { body: { url } })).body
  const deliveries = async (id: string) => (await patchbay.request('GET', `${webhooks}/${id}/deliveries`)).body.items

  // @guards workers/webhooks.ts:startWebhookWorker
  it('sends what happens as it happens, and tests and replays when asked, and ends in order', async () => {
    const { id } = await make()
    await createConnector(patchbay, 'https://worker.example/one')
    await until('the event', () => receiver.received.length === 1)
    const test = await patchbay.request('POST', `${webhooks}/${id}/test`)
    await until('the test', () => receiver.received.length === 2)
    expect(receiver.received[1]?.headers['webhook-id']).to.equal(test.body.id)
    await until('the record', async () => (await deliveries(id))[0].status === 'delivered')
    await patchbay.request('POST', `${webhooks}/${id}/deliveries/${test.body.id}/replay`)
    await until('the replay', () => receiver.received.length === 3)
    expect(await worker.stop()).to.equal(0)
    expect(JSON.stringify(worker.log)).to.include('webhook delivered').and.not.include(receiver.url)
  })

  it('keeps nobody waiting for a slow endpoint but itself', async () => {
    const slow = await startWebhookReceiver()
    let release = () => {}
    slow.reply({ status: 200, after: new Promise<void>((resolve) => (release = resolve)) })
    try {
      await make(slow.url)
      await make()
      await createConnector(patchbay, 'https://worker.example/two')
      await until('the slow one', () => slow.received.length === 1)
      await until('the other', () => receiver.received.length === 1)
      await createConnector(patchbay, 'https://worker.example/three')
      await until('the other again', () => receiver.received.length === 2)
      expect(slow.received).to.have.length(1)
    } finally {
      release()
      await slow.close()
    }
  })

  // @guards src/storage/delivery-store.ts:createPrismaDeliveryStore
  it('WH-09: killed between sending and writing it down, it is followed by another that sends the same message', async () => {
    const { id } = await make()
    receiver.reply({ status: 200, after: new Promise(() => {}) }, { status: 200 })
    await createConnector(patchbay, 'https://worker.example/four')
    await until('the first attempt', () => receiver.received.length === 1)
    await worker.kill()
    expect((await deliveries(id))[0]).to.include({ status: 'pending', attempts: 0 })

    const deliver = () => patchbay.app.deliverWebhook({ tenantId, id })
    expect(await deliver(), 'while it may still be under way').to.deep.equal({ delivered: 0, failed: 0 })
    clock.advance(claimMs)
    expect(await deliver()).to.deep.equal({ delivered: 1, failed: 0 })
    const [first, second] = receiver.received
    expect(second?.headers['webhook-id']).to.equal(first?.headers['webhook-id'])
    expect(second?.body).to.equal(first?.body)
  })
})
