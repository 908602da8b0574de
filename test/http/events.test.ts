import { expect } from 'chai'
import pg from 'pg'
import { defaultTimings } from '../../src/config/timings.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type EventSource, openEvents } from '../support/event-source.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'

const timings = { eventStream: { ...defaultTimings.eventStream, confirmMs: 200, keepAliveMs: 400 } }

describe('GET /api/v1/events', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let tenantId: string
  const open: EventSource[] = []
  let count = 0

  before(async () => {
    patchbay = await startPatchbay({ timings })
    tenantId = (await patchbay.app.access.ensureTenant('default', '')).id
  })
  after(() => patchbay.close())
  afterEach(async () => {
    for (const source of open.splice(0)) await source.close()
  })

  const listen = async (options: Parameters<typeof openEvents>[1] = {}, at: Patchbay = patchbay) => {
    const source = await openEvents({ url: at.url, admin: patchbay.admin }, options)
    open.push(source)
    return source
  }
  const happen = (fields: Record<string, unknown> = {}) => {
    count += 1
    return createConnector(patchbay, `https://streamed-${count}.example/`, fields)
  }
  const connectorsOf = ({ events }: EventSource) => events.map(({ data }) => data.connector_id)
  const insert = (client: pg.Client, connectorId: string, type = 'connector.refreshed', detail = '') =>
    client.query(
      `INSERT INTO events (id, tenant_id, connector_id, type, detail) VALUES (gen_random_uuid(), $1, $2, $3, $4)`,
      [tenantId, connectorId, type, detail],
    )

  it('tells what happens from now on, at once, each with its id', async () => {
    await happen()
    const source = await listen()
    expect([source.status, source.headers.get('content-type')]).to.deep.equal([200, 'text/event-stream; charset=utf-8'])
    expect(source.headers.get('cache-control')).to.equal('no-store')
    const id = await happen()
    await until('the event', () => source.events.length === 1)
    const [event] = source.events
    expect(event?.type).to.equal('connector.created')
    expect(event?.data).to.include({ type: 'connector.created', connector_id: id, connection_id: null })
    expect(event?.data).to.have.keys((await patchbay.request('GET', `/api/v1/connectors/${id}/events`)).body.items[0])
  })

  it('finds what nobody announces, such as refreshes that worked', async () => {
    const id = await happen()
    const source = await listen()
    await withConnection(patchbay.databaseUrl, (client) => insert(client, id))
    await until('the event', () => source.events.some(({ type }) => type === 'connector.refreshed'))
  })

  it('hears of what another process does', async () => {
    const other = await startPatchbay({ sharing: patchbay, timings })
    try {
      const source = await listen({}, other)
      const id = await happen()
      await until('the event', () => connectorsOf(source).includes(id))
    } finally {
      await other.close()
    }
  })

  it('gives only the types and the connector that were asked for', async () => {
    const [first, second] = [await happen(), await happen()]
    const updates = await listen({ query: '?types=connector.updated,connector.connected' })
    const ofFirst = await listen({ query: `?connector_id=${first}` })
    for (const id of [second, first]) {
      await patchbay.request('PATCH', `/api/v1/connectors/${id}`, { body: { label: 'changed' } })
    }
    const last = await happen()
    const all = await listen({ lastEventId: updates.lastEventId() ?? '' })
    await until('all', () => connectorsOf(all).includes(last))
    await until('the first', () => ofFirst.events.length > 0)
    expect(connectorsOf(updates)).to.deep.equal([second, first])
    expect(connectorsOf(ofFirst)).to.deep.equal([first])
  })

  describe('a reader that comes back', () => {
    // @guards src/storage/event-store.ts:createPrismaEventStore
    it('EV-01: misses nothing and gets nothing twice, whoever writes and however late they commit', async () => {
      const connectorId = await happen()
      const total = 400
      const writers = 8
      const seen: string[] = []
      const first = await listen()
      let lastId = first.lastEventId() ?? ''
      await first.close()

      /** Ids and transactions are handed out in another order than they are committed in. */
      const write = async (writer: number) =>
        withConnection(patchbay.databaseUrl, async (client) => {
          for (let index = 0; index < total / writers; index += 1) {
            await client.query('BEGIN')
            await insert(client, connectorId, 'connector.refreshed', `${writer}-${index}`)
            // every other one keeps the others waiting for it
            if ((index + writer) % 2 === 0) await client.query('SELECT pg_sleep(0.01)')
            await client.query('COMMIT')
          }
        })
      const writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
      while (seen.length < total) {
        const source = await listen({ lastEventId: lastId })
        const before = seen.length
        await until('more events', () => source.events.length >= Math.min(30, total - before))
        await source.close()
        seen.push(...source.events.map(({ data }) => data.detail))
        lastId = source.lastEventId() ?? lastId
      }
      await writing
      expect([seen.length, new Set(seen).size]).to.deep.equal([total, total])
    })

    it('waits for a transaction that began earlier and ends later, and then gets both', async () => {
      const connectorId = await happen()
      const source = await listen()
      const late = new pg.Client(patchbay.databaseUrl)
      await late.connect()
      try {
        await late.query('BEGIN')
        await insert(late, connectorId, 'connector.refreshed', 'late')
        await withConnection(patchbay.databaseUrl, (client) =>
          insert(client, connectorId, 'connector.updated', 'early'),
        )
        // an id alone says that there was a look, and that nothing could be handed out
        const frames = () => source.text().split('nothing new').length
        const before = frames()
        await until('a look', () => frames() > before)
        expect(source.events).to.deep.equal([])
        await late.query('COMMIT')
        await until('both', () => source.events.length === 2)
        expect(source.events.map(({ data }) => data.detail)).to.deep.equal(['late', 'early'])
      } finally {
        await late.end()
      }
    })

    it('has a place to come back to before anything happened, and by query where it cannot set headers', async () => {
      const source = await listen()
      await source.close()
      const id = await happen()
      const again = await listen({ query: `?last_event_id=${source.lastEventId()}` })
      await until('the event', () => connectorsOf(again).includes(id))
      expect(again.events).to.have.length(1)
    })

    it('is told when the place is none of ours', async () => {
      for (const lastEventId of ['abc', '1', `1-${'0'.repeat(36)}`]) {
        const source = await listen({ lastEventId })
        expect(source.status, lastEventId).to.equal(400)
      }
      expect((await patchbay.request('GET', '/api/v1/events?last_event_id=x')).body.code).to.equal('invalid_request')
      expect((await patchbay.request('GET', '/api/v1/events?types=nothing')).body.code).to.equal('invalid_request')
    })
  })

  describe('for people', () => {
    // @guards src/connections/watch-events.ts:createWatchEvents
    it('EV-02: shows nobody another person’s connectors, nor another tenant’s', async () => {
      const alice = await patchbay.createKey({ subject: 'alice' })
      const bob = await patchbay.createKey({ subject: 'bob' })
      const stranger = await patchbay.createKey({ subject: 'x', kind: 'service', role: 'admin', tenant: 'other' })
      const sources = {
        alice: await listen({ key: alice }),
        bob: await listen({ key: bob }),
        admin: await listen(),
        stranger: await listen({ key: stranger }),
      }
      const own = await happen({ key: alice })
      const shared = await happen()
      const foreign = await happen({ key: stranger })
      await until('each', () => Object.values(sources).every(({ events }) => events.length > 0))
      expect(connectorsOf(sources.alice)).to.deep.equal([own, shared])
      expect(connectorsOf(sources.bob)).to.deep.equal([shared])
      expect(connectorsOf(sources.admin)).to.deep.equal([shared])
      expect(connectorsOf(sources.stranger)).to.deep.equal([foreign])
    })

    // @guards src/connections/watch-events.ts:createWatchEvents
    it('EV-03: shows members their own connections and the tenant’s, and managers all', async () => {
      const [alice, bob] = [
        await patchbay.createKey({ subject: 'alice' }),
        await patchbay.createKey({ subject: 'bob' }),
      ]
      const connectorId = await happen({ credential_scope: 'user' })
      const sources = { alice: await listen({ key: alice }), bob: await listen({ key: bob }), admin: await listen() }
      await withConnection(patchbay.databaseUrl, async (client) => {
        for (const [scope, subject] of [
          ['user', 'alice'],
          ['tenant', '*'],
        ]) {
          await client.query(
            `WITH made AS (INSERT INTO connections (id, tenant_id, connector_id, scope, subject_id, updated_at)
               VALUES (gen_random_uuid(), $1, $2, $3, $4, now()) RETURNING *)
             INSERT INTO events (id, tenant_id, connector_id, connection_id, type, detail)
               SELECT gen_random_uuid(), tenant_id, connector_id, id, 'connector.connected', subject_id FROM made`,
            [tenantId, connectorId, scope, subject],
          )
        }
      })
      await until('each', () => Object.values(sources).every(({ events }) => events.at(-1)?.data.detail === '*'))
      const details = ({ events }: EventSource) => events.map(({ data }) => data.detail)
      expect(details(sources.alice)).to.deep.equal(['alice', '*'])
      expect(details(sources.bob)).to.deep.equal(['*'])
      expect(details(sources.admin)).to.deep.equal(['alice', '*'])
    })
  })

  describe('the end of a stream', () => {
    // @guards src/connections/watch-events.ts:createWatchEvents
    it('EV-04: comes within seconds of the key’s revocation, and nothing more is sent', async () => {
      const key = await patchbay.createKey({ subject: 'leaving' })
      const [source, other] = [await listen({ key }), await listen()]
      const [apiKey] = (await patchbay.app.access.listApiKeys(tenantId)).filter(({ subject }) => subject === 'leaving')
      await patchbay.app.access.revokeApiKey(tenantId, apiKey?.id ?? '', new Date())
      await until('the end', () => source.hasEnded(), 5000)
      const id = await happen()
      await until('the other', () => connectorsOf(other).includes(id))
      expect(source.events).to.deep.equal([])
      expect(other.hasEnded(), 'negative control').to.equal(false)
      expect((await listen({ key })).status).to.equal(401)
    })

    it('comes with the end of the process, between two events', async () => {
      const other = await startPatchbay({ sharing: patchbay, timings })
      const source = await listen({}, other)
      const id = await happen()
      await until('the event', () => connectorsOf(source).includes(id))
      await other.close()
      await until('the end', () => source.hasEnded())
      expect(source.text().endsWith('\n\n')).to.equal(true)
    })
  })

  it('keeps idle streams alive, moving their place on', async () => {
    const source = await listen({ query: '?types=connector.step_up_failed' })
    const place = source.lastEventId()
    await happen()
    await until('another place', () => source.lastEventId() !== place)
    expect(source.events).to.deep.equal([])
    expect(source.text()).to.include(': nothing new')
  })

  // @guards src/connections/watch-events.ts:createWatchEvents
  it('EV-05: refuses one stream too many of one caller, and takes another when one is closed', async () => {
    const key = await patchbay.createKey({ subject: 'many' })
    const sources = []
    for (let index = 0; index < 10; index += 1) sources.push(await listen({ key }))
    const refused = await patchbay.request('GET', '/api/v1/events', { key })
    expect([refused.status, refused.body.code]).to.deep.equal([429, 'too_many_streams'])
    expect((await listen()).status, 'another caller').to.equal(200)
    await sources[0]?.close()
    await until('a place', async () => (await listen({ key })).status === 200)
  })

  it('goes on by asking while announcements are lost', async () => {
    const source = await listen()
    await withConnection(patchbay.databaseUrl, (client) =>
      client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patchbay-listen'`),
    )
    const id = await happen()
    await until('the event', () => connectorsOf(source).includes(id))
  })
})
