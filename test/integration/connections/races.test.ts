import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { request } from 'undici'
import type { DueReference } from '../../../src/connections/due-store.ts'
import type { NewFlow } from '../../../src/connections/store.ts'
import { addMs } from '../../../src/kernel/clock.ts'
import { newId } from '../../../src/kernel/id.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createPrismaFlowStore } from '../../../src/storage/flow-stores.ts'
import { openDatabase } from '../../../src/storage/prisma-client.ts'
import {
  type Arrival,
  askForLink,
  authorize,
  createConnector,
  followLink,
  stopAtCallback,
} from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { refreshNow } from '../../support/refresh-now.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../../support/upstreams/serve-mcp.ts'

const connectors = '/api/v1/connectors'

/** Two instances over one PostgreSQL, as two replicas are. */
describe('races between two instances', () => {
  let one: Patchbay
  let two: Patchbay
  let upstream: ScriptedOAuth
  let count = 0

  before(async () => {
    one = await startPatchbay()
    two = await startPatchbay({ sharing: one })
  })
  after(async () => {
    await two.close()
    await one.close()
  })
  beforeEach(async () => {
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  afterEach(() => upstream.close())

  const newConnector = (fields: object = {}) => {
    count += 1
    return createConnector(one, upstream.url, { label: `race ${count}`, ...fields })
  }
  const connected = async (): Promise<string> => {
    const id = await newConnector()
    await authorize(one, id)
    return id
  }
  const read = async (id: string) => (await one.request('GET', `${connectors}/${id}`)).body
  const rowOf = (id: string) =>
    withConnection(one.databaseUrl, async (client) => {
      const { rows } = await client.query('SELECT * FROM connections WHERE connector_id = $1', [id])
      expect(rows).to.have.length(1)
      return rows[0]
    })
  const dueOf = async (id: string): Promise<DueReference> => {
    const row = await rowOf(id)
    return { tenantId: row.tenant_id, id: row.id, tokenVersion: row.token_version }
  }
  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')
  const come = async ({ callback, cookie }: Arrival, patchbay = one) => {
    const { body } = await request(new URL(callback.pathname + callback.search, patchbay.url), { headers: { cookie } })
    const text = await body.text()
    return /<code>(\w+)<\/code>/.exec(text)?.[1] ?? /<title>([^<]+)/.exec(text)?.[1]
  }

  describe('two refreshes of one grant', () => {
    it('spend the refresh token once; the other adopts the result', async () => {
      const id = await connected()
      const due = await dueOf(id)
      const gate = upstream.holdTokens()
      const [a, b] = [refreshNow(one.app, due), refreshNow(two.app, due)]
      await until('a refresh to be under way', () => gate.arrivals === 1)
      const inOneProcess = [refreshNow(one.app, due), refreshNow(two.app, due)]
      gate.open()
      const outcomes = await Promise.all([a, b, ...inOneProcess])
      expect(outcomes.filter((outcome) => outcome === 'refreshed')).to.have.length.within(1, 2)
      // whoever reads the row only when the result is there already finds nothing to do
      for (const outcome of outcomes) expect(outcome).to.be.oneOf(['refreshed', 'adopted', 'stale'])
      expect(refreshes()).to.have.length(1)
      expect((await rowOf(id)).token_version).to.equal(1)
      console.log(`      ${outcomes.length} refreshes, ${refreshes().length} redemption: ${outcomes.join(', ')}`)

      const next = await dueOf(id)
      expect(await refreshNow(two.app, next), 'the next cycle').to.equal('refreshed')
      const late = await one.app.refreshing.runRefreshes({ issuer: upstream.origin, references: [next] })
      expect(late.ended, 'a job that comes late').to.deep.equal({})
      expect(await read(id)).to.include({ state: 'connected', last_error: null })
    })

    it('negative control: the server ends a grant whose refresh token comes twice', async () => {
      const id = await connected()
      const clientId = upstream.tokenRequests[0]?.form.client_id ?? ''
      const redeem = async () => {
        const { statusCode, body } = await request(`${upstream.origin}/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({
            grant_type: 'refresh_token',
            refresh_token: upstream.refreshTokens[0] ?? '',
            client_id: clientId,
          }).toString(),
        })
        await body.dump()
        return statusCode
      }
      const statuses = await Promise.all([redeem(), redeem()])
      expect(statuses.sort()).to.deep.equal([200, 400])
      expect(await refreshNow(one.app, await dueOf(id))).to.equal('ended')
      expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'refresh_token_rejected' })
    })
  })

  describe('a disconnect during a refresh', () => {
    for (const [what, end] of [
      ['disconnect', (id: string) => two.request('POST', `${connectors}/${id}/disconnect`)],
      ['delete', (id: string) => two.request('DELETE', `${connectors}/${id}`)],
      [
        'change of the url',
        (id: string) => two.request('PATCH', `${connectors}/${id}`, { body: { url: 'https://moved.example' } }),
      ],
    ] as const) {
      it(`a ${what} wins: the new tokens are revoked, and nothing comes back to life`, async () => {
        const id = await connected()
        const due = await dueOf(id)
        const gate = upstream.holdTokens()
        const refresh = refreshNow(one.app, due)
        await until('the refresh to be under way', () => gate.arrivals === 1)
        expect((await end(id)).status).to.be.oneOf([200, 204])
        gate.open()
        expect(await refresh).to.equal('ended')
        const [first, second] = upstream.refreshTokens
        await until('the new refresh token to be revoked', () => upstream.revoked.includes(second ?? ''))
        expect(upstream.revoked).to.include(first)
        if (what === 'delete') return
        const row = await rowOf(id)
        expect(row).to.include({ state: 'disconnected', sealed_access_token: null, sealed_refresh_token: null })
        expect(row.lease_owner).to.equal(null)
      })
    }
  })

  describe('two callbacks', () => {
    it('with one state: one connects, the code is redeemed once', async () => {
      const id = await newConnector()
      const arrival = await stopAtCallback(one, await askForLink(one, id))
      const gate = upstream.holdTokens()
      const answers = [come(arrival), come(arrival, two), come(arrival)]
      await until('one to be under way', () => gate.arrivals === 1)
      gate.open()
      expect((await Promise.all(answers)).sort()).to.deep.equal([
        'Authorization Successful',
        'link_expired',
        'link_expired',
      ])
      expect(upstream.tokenRequests).to.have.length(1)
      expect(await read(id)).to.include({ state: 'connected' })
    })

    it('from two tabs: one connects, the other is told that it was overtaken, and its tokens are revoked', async () => {
      const id = await newConnector()
      const link = await askForLink(one, id)
      const arrivals = [await stopAtCallback(one, link), await stopAtCallback(one, link)] as const
      const gate = upstream.holdTokens()
      const answers = [come(arrivals[0]), come(arrivals[1], two)]
      await until('both to be under way', () => gate.arrivals === 2)
      gate.open()
      expect((await Promise.all(answers)).sort()).to.deep.equal(['Authorization Successful', 'link_expired'])
      await until('the grant that came too late to be revoked', () => upstream.revoked.length === 1)
      const { sealed_refresh_token } = await rowOf(id)
      expect(sealed_refresh_token).to.be.a('string')
      expect(await refreshNow(one.app, await dueOf(id)), 'the grant that was kept works').to.equal('refreshed')
    })

    it('and a disconnect: what the person did last counts', async () => {
      const id = await newConnector()
      const arrival = await stopAtCallback(one, await askForLink(one, id))
      const gate = upstream.holdTokens()
      const answer = come(arrival)
      await until('the callback to be under way', () => gate.arrivals === 1)
      await two.request('POST', `${connectors}/${id}/disconnect`)
      gate.open()
      expect(await answer).to.equal('link_expired')
      expect(await read(id)).to.include({ state: 'disconnected', disconnect_reason: 'Client request' })
      await until('the grant to be revoked', () => upstream.revoked.length === 1)
    })
  })

  describe('rows that are made at once', () => {
    const both = <T>(times: number, work: (patchbay: Patchbay) => Promise<T>) =>
      Promise.all(Array.from({ length: times }, (_, index) => work(index % 2 === 0 ? one : two)))

    it('POST /connectors: one 201, the others 409', async () => {
      const statuses = await both(8, async (patchbay) => {
        const { status } = await patchbay.request('POST', connectors, { body: { url: 'https://raced.example' } })
        return status
      })
      expect(statuses.sort()).to.deep.equal([201, ...Array.from({ length: 7 }, () => 409)])
    })

    it('ensure(): one connection, the same for all', async () => {
      const id = await newConnector()
      const tenant = await one.app.access.findTenant('default')
      const made = await both(10, ({ app }) => app.connections.ensure(tenant?.id ?? '', id, 'user', 'somebody'))
      expect(new Set(made.map((connection) => connection.id)).size).to.equal(1)
    })

    it('connect: one connection with one link that works, however many ask', async () => {
      const id = await newConnector()
      const answers = await both(6, (patchbay) => patchbay.request('POST', `${connectors}/${id}/connect`, { body: {} }))
      expect(answers.map(({ status, body }) => [status, body.state])).to.deep.equal(
        Array.from({ length: 6 }, () => [200, 'auth_required']),
      )
      const { id: connectionId } = await rowOf(id)
      expect(connectionId).to.be.a('string')
      const link = (await read(id)).auth_request.authorization_endpoint
      expect((await followLink(link.replace(/^https?:\/\/[^/]+/, one.url))).title).to.equal('Authorization Successful')
    })

    it('connect, at a server that needs no authorization: all are told that it is connected', async () => {
      const open = await startScriptedUpstream(serveMcp)
      const id = await createConnector(one, open.url)
      const answers = await both(6, (patchbay) => patchbay.request('POST', `${connectors}/${id}/connect`))
      expect(answers.map(({ status, body }) => [status, body.state])).to.deep.equal(
        Array.from({ length: 6 }, () => [200, 'connected']),
      )
      await open.close()
    })

    it('connect, with a token each: one is stored whole, and whoever was overtaken is told', async () => {
      const id = await newConnector()
      const answers = await both(4, (patchbay) =>
        patchbay.request('POST', `${connectors}/${id}/connect`, { body: { access_token: upstream.newAccessToken() } }),
      )
      expect(answers.map(({ status }) => status)).to.include(200)
      for (const { status, body } of answers)
        if (status !== 200) expect([status, body.code]).to.deep.equal([409, 'conflict'])
      expect(await read(id)).to.include({ state: 'connected' })
    })

    it('registration: two links that were made with a registration each both lead to a grant', async () => {
      const ids = [await newConnector(), await newConnector()]
      const gate = upstream.holdRegistrations()
      const asking = Promise.all(ids.map((id) => askForLink(one, id)))
      await until('both to register', () => gate.arrivals === 2)
      gate.open()
      const links = await asking
      for (const link of links) expect((await followLink(link)).title).to.equal('Authorization Successful')
    })
  })

  it('consume(): of many with one state, one gets the attempt', async () => {
    const id = await newConnector()
    await askForLink(one, id)
    const { rows } = await withConnection(one.databaseUrl, (client) =>
      client.query(
        'SELECT t.*, c.grant_epoch AS epoch FROM tickets t JOIN connections c ON c.id = t.connection_id WHERE c.connector_id = $1',
        [id],
      ),
    )
    const [ticket] = rows
    const stateHash = randomUUID()
    const browserHash = randomUUID()
    const now = new Date()
    const databases = [one, two].map(({ databaseUrl }) => openDatabase({ url: new Secret(databaseUrl), poolSize: 5 }))
    const stores = databases.map(createPrismaFlowStore)
    const flow: NewFlow = {
      id: newId(),
      tenantId: ticket.tenant_id,
      connectionId: ticket.connection_id,
      ticketId: ticket.id,
      stateHash,
      browserHash,
      sealedVerifier: 'sealed',
      grantEpoch: ticket.epoch,
      authorization: ticket.authorization,
      redirectUrl: null,
      wantsCompletion: false,
      initiatorPrincipalId: null,
      expiresAt: addMs(now, 60_000),
    }
    await stores[0]?.create(flow)
    const look = (index: number) => databases[index % 2]?.flow.count({ where: { stateHash, consumedAt: null } })
    const seen = await Promise.all(Array.from({ length: 20 }, (_, index) => look(index)))
    expect(seen, 'negative control: who looks before taking').to.deep.equal(Array.from({ length: 20 }, () => 1))
    const taken = await Promise.all(
      Array.from({ length: 20 }, (_, index) => stores[index % 2]?.consume(stateHash, browserHash, now)),
    )
    await Promise.all(databases.map((database) => database.$disconnect()))
    expect(taken.filter((row) => row !== null).map((row) => row?.id)).to.deep.equal([flow.id])
  })
})
