import { expect } from 'chai'
import { Secret } from '../../../src/kernel/secret.ts'
import { createQueueBackend, type QueueBackend } from '../../../src/queue/queue-backend.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { authorize, createConnector } from '../../support/connecting.ts'
import { requireRedis } from '../../support/lanes.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type RedisServer, startRedis } from '../../support/redis.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { startWorker, type WorkerProcess } from '../../support/worker.ts'

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ping', arguments: {} } }

describe('Redis in trouble', function () {
  this.timeout(120_000)
  let redis: RedisServer
  let patchbay: Patchbay
  let worker: WorkerProcess
  let upstream: ScriptedOAuth
  let connectorId: string
  let count = 0

  before(async function () {
    redis = await startRedis(requireRedis(this))
    await redis.stop()
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    patchbay = await startPatchbay({ env: { REDIS_URL: redis.url } })
    worker = await startWorker(patchbay)
    connectorId = await createConnector(patchbay, upstream.url)
    await authorize(patchbay, connectorId)
  })
  after(async () => {
    await worker?.stop()
    await patchbay?.close()
    await upstream?.close()
    await redis?.close()
  })

  const version = () =>
    withConnection(patchbay.databaseUrl, async (client) => {
      const { rows } = await client.query('SELECT token_version FROM connections WHERE connector_id = $1', [
        connectorId,
      ])
      return rows[0].token_version as number
    })
  const makeDue = () =>
    withConnection(patchbay.databaseUrl, async (client) => {
      await client.query('UPDATE connections SET next_refresh_at = now() WHERE connector_id = $1', [connectorId])
    })
  const checks = async () => {
    const { status, body } = await patchbay.request('GET', '/readyz', { key: null })
    return { status, queue: body.checks.queue.status, detail: body.checks.queue.detail }
  }

  /** All that people and agents ask for: REST, pages, callback, proxy, and a refresh that somebody waits for. */
  async function expectService(): Promise<void> {
    count += 1
    const id = await createConnector(patchbay, upstream.url, { label: `connector ${count}` })
    expect((await authorize(patchbay, id)).title).to.equal('Authorization Successful')
    const before = await version()
    upstream.expireAccessTokens()
    const path = `/connectors/${connectorId}/mcp`
    const answer = await patchbay.request('POST', path, {
      body: call,
      headers: { accept: 'application/json, text/event-stream' },
    })
    expect(answer.status, answer.text).to.equal(200)
    expect(await version()).to.equal(before + 1)
  }

  describe('when it is not there at the start', () => {
    it('REL-08: server and worker come up and say so', async () => {
      const line = worker.log.find(({ check }) => check === 'queue')
      expect(line).to.include({ msg: 'started with something missing' })
      expect(await checks()).to.deep.include({ status: 200, queue: 'failing' })
      expect((await checks()).detail).to.match(/Redis is out of reach/)
    })

    it('REL-08: API, callback, proxy and on-demand refresh work', expectService)
  })

  describe('when it comes, goes and comes back empty', () => {
    for (const round of ['first', 'second']) {
      it(`REL-08: what was due meanwhile is renewed within 60 s of its return (${round} time)`, async () => {
        const before = await version()
        const failures = () => worker.log.filter(({ msg }) => msg === 'sweep failed').length
        const failed = failures()
        await makeDue()
        await until('a sweep that finds no queue', () => failures() > failed)
        expect(await version()).to.equal(before)
        await redis.start()
        const startedAt = performance.now()
        await until('the renewal', async () => (await version()) > before, 65_000)
        console.log(`      renewed ${Math.round(performance.now() - startedAt)} ms after Redis was back`)
        expect((await checks()).queue).to.equal('ok')
        await redis.stop()
      })
    }

    it('REL-08: API, callback, proxy and on-demand refresh work when it is gone again', expectService)
  })

  describe('when it restarts empty while jobs may be in it', () => {
    it('REL-08: nothing is lost, since PostgreSQL knows what is due', async () => {
      await redis.start()
      await until('Redis to be found', async () => (await checks()).queue === 'ok')
      const before = await version()
      await Promise.all([makeDue(), redis.stop()])
      await redis.start()
      await until('the renewal', async () => (await version()) > before, 70_000)
    })
  })

  describe('when the worker is told to end while it is gone', () => {
    it('REL-19: it ends in order all the same', async () => {
      await redis.stop()
      const startedAt = performance.now()
      expect(await worker.stop()).to.equal(0)
      expect(performance.now() - startedAt).to.be.below(10_000)
    })
  })

  describe('createQueueBackend', () => {
    let backend: QueueBackend
    afterEach(() => backend.close())

    // @guards src/queue/out-of-reach.ts:answeringInTime
    it('REL-08: a queue that was opened without Redis fails within a second', async () => {
      await redis.stop()
      backend = createQueueBackend({ redisUrl: new Secret(redis.url), databaseUrl: new Secret(patchbay.databaseUrl) })
      const queue = backend.openQueue('test')
      queue.on('error', () => {})
      const startedAt = performance.now()
      const failure = await queue.add('job', {}).then(
        () => null,
        (error: Error) => error,
      )
      expect(failure).to.be.an('error')
      expect(performance.now() - startedAt).to.be.below(1500)
    })

    it('REL-08: and works as soon as Redis is there', async () => {
      await redis.start()
      backend = createQueueBackend({ redisUrl: new Secret(redis.url), databaseUrl: new Secret(patchbay.databaseUrl) })
      const job = await backend.openQueue('test').add('job', {})
      expect(job.id).to.be.a('string')
    })
  })
})
