import { expect } from 'chai'
import { callTool, listTools } from '../../support/call-tool.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, endPauses, eventsOf, rowOf, runAsWorker, updateRow } from '../../support/refreshing.ts'
import { createTestClock } from '../../support/test-clock.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { type Answer, respond, respondJson } from '../../support/upstreams/scripted-upstream.ts'

type Case = {
  readonly what: string
  readonly answer: Answer
  /** What becomes of the connection. */
  readonly state: 'connected' | 'disconnected'
  readonly code: string
  readonly class: string
  /** Token requests of one attempt. */
  readonly requests?: number
  /** When it is tried again, in seconds from now. */
  readonly againIn?: readonly [number, number]
}

const reset: Answer = (response) => {
  response.destroy()
}
const backoff = [1, 3.1] as const
const slow = [890, 910] as const
const oauthError = (error: string, status = 400) => respondJson({ error }, status)

/** The outcome table (security-checklist, REL-10), one row or more for each of its lines. */
const cases: readonly Case[] = [
  {
    what: 'a reset after the request was sent',
    answer: reset,
    state: 'connected',
    code: 'upstream_unreachable',
    class: 'ambiguous',
    requests: 2,
    againIn: backoff,
  },
  ...[500, 502, 503, 504, 408, 425].map(
    (status): Case => ({
      what: `a ${status}`,
      answer: respond(status, 'upstream text that goes nowhere'),
      state: 'connected',
      code: 'upstream_error',
      class: 'ambiguous',
      requests: 2,
      againIn: backoff,
    }),
  ),
  {
    what: 'a 429 with Retry-After in seconds',
    answer: respond(429, '', { 'retry-after': '120' }),
    state: 'connected',
    code: 'upstream_error',
    class: 'transient',
    againIn: [110, 125],
  },
  {
    what: 'a 503 with Retry-After as a date',
    answer: (response, request) =>
      respond(503, '', { 'retry-after': new Date(Date.now() + 600_000).toUTCString() })(response, request),
    state: 'connected',
    code: 'upstream_error',
    class: 'transient',
    againIn: [580, 610],
  },
  {
    what: 'a Retry-After of a year',
    answer: respond(429, '', { 'retry-after': '31536000' }),
    state: 'connected',
    code: 'upstream_error',
    class: 'transient',
    againIn: [3590, 3605],
  },
  {
    what: 'a 429 without Retry-After',
    answer: respond(429),
    state: 'connected',
    code: 'upstream_error',
    class: 'transient',
    againIn: backoff,
  },
  {
    what: 'a 403 of a firewall',
    answer: respond(403, '<html>no</html>'),
    state: 'connected',
    code: 'upstream_error',
    class: 'transient',
    againIn: backoff,
  },
  ...[400, 401, 200].map(
    (status): Case => ({
      what: `invalid_grant with ${status}`,
      answer: oauthError('invalid_grant', status),
      state: 'disconnected',
      code: 'refresh_token_rejected',
      class: 'terminal',
    }),
  ),
  {
    what: "GitHub's bad_refresh_token with 200",
    answer: oauthError('bad_refresh_token', 200),
    state: 'disconnected',
    code: 'refresh_token_rejected',
    class: 'terminal',
  },
  ...['invalid_client', 'unauthorized_client'].map(
    (error): Case => ({
      what: `${error}, of a client that we registered`,
      answer: oauthError(error, 401),
      state: 'disconnected',
      code: 'client_rejected',
      class: 'terminal_registration',
    }),
  ),
  ...['invalid_request', 'invalid_scope', 'unsupported_grant_type'].map(
    (error): Case => ({
      what: error,
      answer: oauthError(error),
      state: 'connected',
      code: 'refresh_config_error',
      class: 'terminal_config',
      againIn: slow,
    }),
  ),
  ...(
    [
      ['HTML with 200', respond(200, '<html>maintenance</html>')],
      ['no access_token', respondJson({ token_type: 'Bearer', expires_in: 3600 })],
      ['another token_type', respondJson({ access_token: 'a', token_type: 'mac' })],
      ['a body of 70 KB', respondJson({ access_token: 'a'.repeat(70_000), token_type: 'Bearer' })],
      ['a redirect', respond(302, '', { location: 'https://elsewhere.example/token' })],
    ] as const
  ).map(
    ([what, answer]): Case => ({
      what,
      answer,
      state: 'connected',
      code: 'malformed_token_response',
      class: 'protocol',
      againIn: backoff,
    }),
  ),
]

describe('the outcome table', () => {
  let patchbay: Patchbay
  const clock = createTestClock()
  let count = 0

  before(async () => {
    patchbay = await startPatchbay({ clock })
  })
  after(() => patchbay.close())

  const read = async (id: string) => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body
  const connected = (upstream: ScriptedOAuth, fields: Readonly<Record<string, unknown>> = {}) => {
    count += 1
    return connectTo(patchbay, upstream, { label: `outcome ${count}`, ...fields })
  }
  const refreshes = (upstream: ScriptedOAuth) =>
    upstream.tokenRequests.filter(({ form }) => form.grant_type === 'refresh_token')

  const ways = {
    worker: async (id: string) => void (await runAsWorker(patchbay.app, await rowOf(patchbay, id))),
    // no tool call: for that the proxy would begin a new connection, where it can
    proxy: async (id: string) => void (await listTools(patchbay, id)),
  }

  for (const [way, refresh] of Object.entries(ways)) {
    describe(`by the ${way}`, () => {
      for (const row of cases) {
        // @guards src/connections/refresh-outcomes.ts:judgeFailure
        it(`REL-10: ${row.what}: ${row.class}, ${row.state}`, async () => {
          const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
          try {
            const id = await connected(upstream)
            const before = await rowOf(patchbay, id)
            if (way === 'proxy') upstream.expireAccessTokens()
            upstream.answerTokensWith(row.answer)
            await refresh(id)
            expect(refreshes(upstream)).to.have.length(row.requests ?? 1)
            const shown = await read(id)
            const retryable = row.state === 'connected'
            expect(shown).to.deep.include({ state: row.state, disconnect_code: retryable ? null : row.code })
            expect(shown.last_error).to.deep.include({ code: row.code, retryable, attempts: 1 })
            const type = retryable ? 'connector.refresh_failed' : 'connector.disconnected'
            const [event] = await eventsOf(patchbay, id, type)
            expect(event).to.include({ code: row.code, class: row.class })

            const stored = await rowOf(patchbay, id)
            expect(stored.lease_owner).to.equal(null)
            expect(stored.refresh_started_at === null, 'the mark of an unseen end').to.equal(row.class !== 'ambiguous')
            if (row.againIn === undefined) {
              expect(stored).to.include({
                sealed_refresh_token: null,
                sealed_access_token: null,
                next_refresh_at: null,
              })
              return
            }
            const [from, to] = row.againIn
            const inSeconds = (stored.next_refresh_at.getTime() - clock.now().getTime()) / 1000
            expect(inSeconds).to.be.within(from - 2, to)
            expect(stored.sealed_refresh_token, 'the grant is kept').to.equal(before.sealed_refresh_token)
            expect(stored.sealed_access_token).to.equal(before.sealed_access_token)

            // and it is as good as ever once the server has come round, and is asked again at all
            upstream.answerTokensWith(null)
            await endPauses(patchbay)
            const answer = await patchbay.request('POST', `/api/v1/connectors/${id}/refresh`)
            expect(answer.body).to.include({ state: 'connected', last_error: null })
          } finally {
            await upstream.close()
          }
        })
      }

      // @guards src/connections/refresh-outcomes.ts:classOf
      it('REL-10: a server that cannot be reached: transient, one try, nothing was spent', async () => {
        const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
        const id = await connected(upstream)
        if (way === 'proxy') await updateRow(patchbay, id, "access_expires_at = now() - interval '1 hour'")
        await upstream.close()
        await refresh(id)
        expect(await read(id)).to.deep.include({ state: 'connected' })
        expect((await read(id)).last_error).to.include({ code: 'upstream_unreachable', retryable: true })
        const [event] = await eventsOf(patchbay, id, 'connector.refresh_failed')
        expect(event).to.include({ class: 'transient_safe' })
        expect((await rowOf(patchbay, id)).refresh_started_at).to.equal(null)
      })
    })
  }

  describe('what ends only after a while', () => {
    let upstream: ScriptedOAuth
    beforeEach(async () => {
      upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    })
    afterEach(() => upstream.close())

    // @guards src/connections/refresh-outcomes.ts:judgeFailure
    it('REL-10: five answers in a row that are none: malformed_token_response', async () => {
      const id = await connected(upstream)
      upstream.answerTokensWith(respond(200, 'hello'))
      for (let attempt = 1; attempt <= 5; attempt++) {
        expect((await read(id)).state, `before attempt ${attempt}`).to.equal('connected')
        await ways.worker(id)
      }
      expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'malformed_token_response' })
      expect((await read(id)).last_error).to.include({ attempts: 5, retryable: false })
    })

    it('REL-10: an outage in between does not count as one of the five', async () => {
      const id = await connected(upstream)
      for (const answer of [respond(500), respond(500), respond(500), respond(500), respond(200, 'hello')]) {
        upstream.answerTokensWith(answer)
        await ways.worker(id)
      }
      expect((await read(id)).last_error).to.include({ code: 'malformed_token_response', attempts: 1 })
      expect((await read(id)).state).to.equal('connected')
    })

    // @guards src/connections/refresh-outcomes.ts:mustWaitItsTurn
    it('REL-10: calls do not use up the five tries: they wait for the scheduled one; a person does not', async () => {
      const id = await connected(upstream)
      upstream.expireAccessTokens()
      upstream.answerTokensWith(respond(200, 'hello'))
      for (let call = 0; call < 10; call++) await ways.proxy(id)
      expect(refreshes(upstream)).to.have.length(1)
      await patchbay.request('POST', `/api/v1/connectors/${id}/refresh`)
      expect(refreshes(upstream)).to.have.length(2)
    })

    it('REL-10: a given client that is refused is tried for a day, since its secret may be mis-deployed', async () => {
      const id = await connected(upstream, { client_id: 'ours', client_secret: 'a-secret' })
      upstream.answerTokensWith(oauthError('invalid_client', 401))
      await ways.worker(id)
      expect((await read(id)).last_error).to.include({ code: 'client_rejected', retryable: true })
      await updateRow(patchbay, id, "failing_since = now() - interval '23 hours'")
      await ways.worker(id)
      expect((await read(id)).state).to.equal('connected')
      await updateRow(patchbay, id, "failing_since = now() - interval '24 hours'")
      await ways.worker(id)
      expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'client_rejected' })
    })

    it('REL-10: refresh_config_error keeps the access token for as long as it lives', async () => {
      const id = await connected(upstream)
      upstream.answerTokensWith(oauthError('invalid_scope'))
      await ways.worker(id)
      expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
      await updateRow(patchbay, id, "access_expires_at = now() + interval '5 minutes'")
      await ways.worker(id)
      const { next_refresh_at, access_expires_at } = await rowOf(patchbay, id)
      expect(next_refresh_at, 'the last try is at its end').to.deep.equal(access_expires_at)
      await updateRow(patchbay, id, 'access_expires_at = now()')
      await ways.worker(id)
      expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'refresh_config_error' })
    })
  })

  describe('a success', () => {
    const answers = [
      [
        'without a refresh token: the old one goes on',
        { access_token: 'a2', token_type: 'Bearer', expires_in: 60 },
        60,
      ],
      ['without expires_in: as long as before', { access_token: 'a2', token_type: 'Bearer' }, 3600],
      ['expires_in ""', { access_token: 'a2', token_type: 'bearer', expires_in: '' }, 3600],
      ['expires_in "120"', { access_token: 'a2', token_type: 'BEARER', expires_in: '120' }, 120],
      ['expires_in 0', { access_token: 'a2', token_type: 'Bearer', expires_in: 0 }, 3600],
      ['expires_in -1', { access_token: 'a2', token_type: 'Bearer', expires_in: -1 }, 3600],
      ['expires_in "NaN"', { access_token: 'a2', token_type: 'Bearer', expires_in: 'NaN' }, 3600],
      ['expires_in 1e12: at most 30 days', { access_token: 'a2', token_type: 'Bearer', expires_in: 1e12 }, 2_592_000],
    ] as const
    for (const [what, body, seconds] of answers) {
      // @guards src/connections/renewed-grant.ts:renewedGrant
      it(`REL-10: ${what}`, async () => {
        const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
        const id = await connected(upstream)
        const before = await rowOf(patchbay, id)
        upstream.answerTokensWith(respondJson(body))
        const from = clock.now().getTime()
        await ways.worker(id)
        await upstream.close()
        const row = await rowOf(patchbay, id)
        expect(row).to.include({ token_version: 1, sealed_refresh_token: before.sealed_refresh_token })
        expect((row.access_expires_at.getTime() - from) / 1000).to.be.within(seconds - 1, seconds + 20)
      })
    }

    it('REL-10: with fewer scopes: they are stored and shown; reauth_by too', async () => {
      const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
      const id = await connected(upstream, { scopes: ['read', 'write'] })
      expect(await read(id)).to.deep.include({ scopes: ['read', 'write'], reauth_by: null })
      const body = {
        access_token: 'a2',
        refresh_token: 'r2',
        token_type: 'Bearer',
        scope: 'read',
        refresh_expires_in: 86_400,
      }
      upstream.answerTokensWith(respondJson(body))
      await ways.worker(id)
      await upstream.close()
      const shown = await read(id)
      expect(shown.scopes).to.deep.equal(['read'])
      expect((Date.parse(shown.reauth_by) - clock.now().getTime()) / 1000).to.be.within(86_300, 86_400)
    })
  })

  // @guards src/connections/disconnect-reason.ts:disconnectReasons
  it('REL-32: a reason is a stable code, a sentence of ours, and no word of the upstream', async () => {
    const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    const id = await connected(upstream)
    const canary = 'canary-7f3a said the upstream'
    upstream.answerTokensWith(
      respondJson({ error: 'invalid_grant', error_description: canary, error_uri: canary }, 400),
    )
    await ways.worker(id)
    await upstream.close()
    const shown = await patchbay.request('GET', `/api/v1/connectors/${id}`)
    const events = await patchbay.request('GET', `/api/v1/connectors/${id}/events`)
    expect(shown.body.disconnect_code).to.equal('refresh_token_rejected')
    expect(shown.body.disconnect_reason).to.match(/authorize again\.$/)
    expect(shown.body.last_error).to.have.keys('code', 'at', 'retryable', 'attempts')
    for (const text of [shown.text, events.text, patchbay.logs.join('')]) expect(text).not.to.include('canary')
  })

  // @guards src/connections/connect.ts:createConnect
  it('REL-30: a failing MCP server does not disconnect: health and authorization are apart', async () => {
    const upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
    const id = await connected(upstream)
    const failing = [respond(429), respond(503), respond(500), respond(404), reset]
    for (const answer of failing) {
      upstream.answerMcpWith(answer)
      await callTool(patchbay, id, 'ping')
      await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
      const shown = await read(id)
      expect(shown).to.include({ state: 'connected', last_error: null, disconnect_code: null })
    }
    upstream.answerMcpWith(null)
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
    expect(refreshes(upstream), 'and no token was spent on it').to.have.length(0)
    await upstream.close()
  })
})
