import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import pg from 'pg'
import { request } from 'undici'
import { askForLink, authorize, createConnector } from '../../support/connecting.ts'
import { type OwnPostgres, startOwnPostgres } from '../../support/own-postgres.ts'
import { type Answer, type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { respondInPieces, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'

const ping = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ping', arguments: {} } }
const limitMs = 2000

describe('PostgreSQL in trouble', function () {
  this.timeout(60_000)
  let postgres: OwnPostgres
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  let connectorId: string
  let link: string

  before(async () => {
    postgres = await startOwnPostgres()
    patchbay = await startPatchbay({ databaseUrl: postgres.url, env: { DATABASE_WAIT: '2' } })
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    connectorId = await createConnector(patchbay, upstream.url)
    await authorize(patchbay, connectorId)
    link = await askForLink(patchbay, await createConnector(patchbay, upstream.url, { label: 'waiting' }))
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
    await postgres.close()
  })

  const call = (id = connectorId) =>
    patchbay.request('POST', `/connectors/${id}/mcp`, { body: ping, headers: mcpHeaders })
  const readiness = async () => {
    const { status, body } = await patchbay.request('GET', '/readyz', { key: null })
    return [status, body.checks.database.status]
  }
  const page = async () => {
    const { statusCode, headers, body } = await request(link, { headers: { accept: 'text/html' } })
    return { status: statusCode, retryAfter: headers['retry-after'], text: await body.text() }
  }
  const refreshes = () => upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token').length

  /** Of the REST API or the MCP endpoint: both speak RFC 9457. */
  async function expectUnavailable(send: () => Promise<Answer>): Promise<void> {
    const startedAt = performance.now()
    const answer = await send()
    expect(performance.now() - startedAt, 'milliseconds').to.be.below(limitMs)
    expect([answer.status, answer.body?.code], answer.text).to.deep.equal([503, 'storage_unavailable'])
    expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/)
    expect(Number(answer.headers.get('retry-after'))).to.be.within(1, 10)
    expect(answer.body.detail).to.match(/database/)
    expect(answer.text).not.to.match(/prisma|postgres|SELECT|25006|ECONN|sock/i)
  }

  /** Without a restart of the process. */
  async function expectRecovery(): Promise<void> {
    await until(
      'the API to work again',
      async () => (await patchbay.request('GET', '/api/v1/connectors')).status === 200,
    )
    expect((await call()).status).to.equal(200)
    expect(await readiness()).to.deep.equal([200, 'ok'])
    expect((await page()).status).to.equal(200)
  }

  for (const mode of ['fast', 'immediate'] as const) {
    describe(`when it is down (${mode} shutdown)`, () => {
      before(() => postgres.stop(mode))
      after(() => postgres.start())

      // @guards src/storage/unavailability.ts:isUnavailable
      it('REL-09: the REST API answers 503 at once, reading and writing', async () => {
        await expectUnavailable(() => patchbay.request('GET', '/api/v1/connectors'))
        await expectUnavailable(() => patchbay.request('POST', '/api/v1/connectors', { body: { url: upstream.url } }))
      })

      it('REL-09: the MCP endpoint answers 503 at once', () => expectUnavailable(call))

      it('REL-09: a page says so to a person', async () => {
        const { status, retryAfter, text } = await page()
        expect([status, retryAfter]).to.deep.equal([503, '1'])
        expect(text).to.contain('<title>')
      })

      it('REL-09: twenty at once are answered no later', async () => {
        await Promise.all(Array.from({ length: 20 }, () => expectUnavailable(call)))
      })

      it('lives, and is not ready', async () => {
        expect((await patchbay.request('GET', '/healthz', { key: null })).status).to.equal(200)
        expect(await readiness()).to.deep.equal([503, 'failing'])
      })
    })

    describe(`when it is back (after a ${mode} shutdown)`, () => {
      it('REL-09: everything works again, without a restart', expectRecovery)
    })
  }

  describe('when its sessions are cut off', () => {
    it('REL-09: nobody notices who comes afterwards', async () => {
      await postgres.killSessions()
      await expectRecovery()
    })

    it('REL-09: whoever is under way gets an answer or a 503, and nothing breaks', async () => {
      const answers = Array.from({ length: 30 }, async (_, index) => {
        if (index === 15) await postgres.killSessions()
        return index % 2 === 0 ? call() : patchbay.request('GET', '/api/v1/connectors')
      })
      const statuses = new Set((await Promise.all(answers)).map(({ status }) => status))
      for (const status of statuses) expect(status).to.be.oneOf([200, 503])
      await expectRecovery()
    })
  })

  describe('when nobody may write', () => {
    before(() => postgres.setReadOnly(true))
    after(() => postgres.setReadOnly(false))

    it('REL-09: writing answers 503, reading and relaying go on', async () => {
      await expectUnavailable(() =>
        patchbay.request('POST', '/api/v1/connectors', { body: { url: upstream.url, label: randomUUID() } }),
      )
      expect((await patchbay.request('GET', '/api/v1/connectors')).status).to.equal(200)
      expect((await call()).status).to.equal(200)
    })

    it('REL-09: readiness says so', async () => {
      const { status, body } = await patchbay.request('GET', '/readyz', { key: null })
      expect(status).to.equal(503)
      expect(body.checks.database).to.deep.equal({ status: 'failing', detail: 'PostgreSQL takes no writes.' })
    })

    // @guards src/storage/lease-store.ts:takeLeases
    it('REL-09: no refresh token is spent', async () => {
      const before = refreshes()
      upstream.expireAccessTokens()
      await expectUnavailable(call)
      expect(refreshes()).to.equal(before)
    })
  })

  describe('when they may write again', () => {
    it('negative control: once it may write again, that same call spends one', async () => {
      const before = refreshes()
      await until('a write', async () => (await call()).status === 200)
      expect(refreshes()).to.equal(before + 1)
    })
  })

  describe('when every connection is taken', () => {
    // @guards src/storage/prisma-client.ts:openPool
    it('REL-09: whoever waits for one is told 503 in time, and it passes', async () => {
      const blocker = new pg.Client({ connectionString: postgres.url })
      await blocker.connect()
      await blocker.query('BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE')
      try {
        await Promise.all(Array.from({ length: 15 }, () => expectUnavailable(call)))
      } finally {
        await blocker.end()
      }
      await expectRecovery()
    })
  })

  describe('when streams are open', () => {
    it('REL-09: they survive a restart of it', async () => {
      let send: (piece: string) => void = () => {}
      const pieces = async function* () {
        for (;;) yield await new Promise<string>((resolve) => (send = resolve))
      }
      const streaming = await startScriptedUpstream(() => respondInPieces(pieces()))
      try {
        const id = await createConnector(patchbay, streaming.url, { auth: { type: 'none' } })
        await markConnected(id)
        const { statusCode, body } = await request(`${patchbay.url}/connectors/${id}/mcp`, {
          headers: { ...mcpHeaders, authorization: `Bearer ${patchbay.admin}` },
        })
        expect(statusCode).to.equal(200)
        const lines = createInterface({ input: body })[Symbol.asyncIterator]()
        const event = async (text: string) => {
          send(`data: ${text}\n\n`)
          const line = (await lines.next()).value
          await lines.next()
          return line
        }
        expect(await event('before')).to.equal('data: before')
        await postgres.stop('immediate')
        await expectUnavailable(() => call(id))
        expect(await event('during')).to.equal('data: during')
        await postgres.start()
        await expectRecovery()
        expect(await event('after')).to.equal('data: after')
        body.destroy()
      } finally {
        await streaming.close()
      }
    })

    /** As a connect would; the upstream here knows nothing but streams. */
    async function markConnected(id: string): Promise<void> {
      const { rows } = await query('SELECT tenant_id FROM connectors WHERE id = $1', [id])
      const key = await query('SELECT principal_id FROM api_keys LIMIT 1', [])
      expect(key.rows).to.have.length(1)
      await query(
        `INSERT INTO connections (id, tenant_id, connector_id, scope, subject_id, state, auth_type, updated_at)
         SELECT $1, $2, $3, scope, subject_id, 'connected', 'none', now() FROM connections WHERE connector_id = $4`,
        [randomUUID(), rows[0].tenant_id, id, connectorId],
      )
    }

    async function query(sql: string, values: unknown[]): Promise<pg.QueryResult> {
      const client = new pg.Client({ connectionString: postgres.url })
      await client.connect()
      try {
        return await client.query(sql, values)
      } finally {
        await client.end()
      }
    }
  })
})

const mcpHeaders = { accept: 'application/json, text/event-stream' }
