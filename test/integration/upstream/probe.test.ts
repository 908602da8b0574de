import { expect } from 'chai'
import type { GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import type { OpenLegacyTransport } from '../../../src/upstream/legacy-transport.ts'
import { createProbe, type ProbeOutcome } from '../../../src/upstream/probe.ts'
import { startModernServer } from '../../support/upstreams/modern-server.ts'
import {
  type Answer,
  closeInBody,
  closeSocket,
  hang,
  hangAfterHeaders,
  respond,
  respondHtml,
  respondInPieces,
  respondJson,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { startServerEverything } from '../../support/upstreams/server-everything.ts'
import { openLoopbackFetch } from './loopback-fetch.ts'

describe('createProbe', () => {
  let upstream: ScriptedUpstream
  let fetch: GuardedFetch
  let openTransport: OpenLegacyTransport
  let close: () => Promise<void>

  beforeEach(async () => {
    upstream = await startScriptedUpstream()
    ;({ fetch, openTransport, close } = openLoopbackFetch())
  })
  afterEach(async () => {
    await close()
    await upstream.close()
  })

  const probe = (totalMs = 15_000, headers = {}): Promise<ProbeOutcome> =>
    createProbe({ fetch, openTransport, totalMs })({ url: new URL(upstream.url), headers })
  const methodOf = (body: string): string => (body === '' ? '' : JSON.parse(body).method)

  /** A server of 2025-11-25 that does as told for the methods named, and is well-behaved otherwise. */
  const serveLegacy = (answers: Readonly<Record<string, Answer>> = {}): void =>
    upstream.script(({ method, body }) => {
      const name = method === 'POST' ? methodOf(body) : method
      const told = answers[name]
      if (told !== undefined) return told
      if (name === 'initialize') {
        return respondResult(
          {
            protocolVersion: '2025-11-25',
            capabilities: { tools: {} },
            serverInfo: { name: 'scripted', version: '1.2.3' },
          },
          { 'mcp-session-id': 'session-1' },
        )
      }
      if (name === 'notifications/initialized') return respond(202)
      if (name === 'tools/list') return respondResult({ tools: [] })
      if (name === 'DELETE') return respond(200)
      return name === 'GET'
        ? respond(405)
        : respondJson({ jsonrpc: '2.0', id: null, error: { code: -32_000, message: 'no' } }, 400)
    })
  const challenge = 'Bearer resource_metadata="https://a.example/m", scope="x"'

  describe('of a real server', () => {
    it('speaks 2025-11-25 with sessions', async () => {
      const everything = await startServerEverything()
      try {
        const outcome = await createProbe({ fetch, openTransport })({ url: new URL(everything.url), headers: {} })
        expect(outcome).to.include({ kind: 'ok', protocolVersion: '2025-11-25' })
        expect(outcome).to.have.property('serverName').that.contains('everything')
      } finally {
        await everything.close()
      }
    })

    it('speaks 2026-07-28', async () => {
      const modern = await startModernServer()
      try {
        const outcome = await createProbe({ fetch, openTransport })({ url: new URL(modern.url), headers: {} })
        expect(outcome).to.include({ kind: 'ok', protocolVersion: '2026-07-28' })
      } finally {
        await modern.close()
      }
    })
  })

  it('tells who answered, and ends the session that it opened', async () => {
    serveLegacy()
    expect(await probe(15_000, { authorization: new Secret('Bearer t') })).to.deep.equal({
      kind: 'ok',
      serverName: 'scripted',
      serverVersion: '1.2.3',
      protocolVersion: '2025-11-25',
    })
    const posts = upstream.received.filter(({ method }) => method === 'POST')
    expect(posts.map(({ body }) => methodOf(body))).to.deep.equal([
      'server/discover',
      'initialize',
      'notifications/initialized',
      'tools/list',
    ])
    const goodbye = upstream.received.find(({ method }) => method === 'DELETE')
    expect(goodbye?.headers).to.include({ 'mcp-session-id': 'session-1' })
    expect(upstream.received.every(({ headers }) => headers.authorization === 'Bearer t')).to.equal(true)
  })

  it('does not mind a server that keeps no sessions, or will not end them', async () => {
    for (const answer of [respond(405), respond(500), closeSocket(), hang()]) {
      serveLegacy({ DELETE: answer })
      expect(await probe()).to.include({ kind: 'ok' })
    }
  })

  it('takes a refused tools/list for an answer of a server', async () => {
    serveLegacy({
      'tools/list': (response, request) =>
        respondJson({ jsonrpc: '2.0', id: JSON.parse(request.body).id, error: { code: -32_601, message: 'no' } })(
          response,
          request,
        ),
    })
    expect(await probe()).to.include({ kind: 'ok' })
  })

  describe('when the server asks for authorization', () => {
    const expected = {
      kind: 'unauthorized',
      challenge: { resourceMetadata: 'https://a.example/m', scope: 'x' },
    }
    const refuse = respond(401, 'no', { 'www-authenticate': challenge })

    for (const method of ['server/discover', 'initialize', 'notifications/initialized', 'tools/list']) {
      it(`hears it at ${method}`, async () => {
        serveLegacy({ [method]: refuse })
        expect(await probe()).to.deep.equal({ ...expected, status: 401 })
      })
    }

    it('hears it without a challenge', async () => {
      upstream.script(() => respond(401))
      expect(await probe()).to.deep.equal({ kind: 'unauthorized', status: 401, challenge: null })
    })

    it('hears it by a 403 that says what is missing, and not by another', async () => {
      serveLegacy({
        'tools/list': respond(403, '', { 'www-authenticate': 'Bearer error="insufficient_scope", scope="a b"' }),
      })
      expect(await probe()).to.deep.equal({
        kind: 'unauthorized',
        status: 403,
        challenge: { error: 'insufficient_scope', scope: 'a b' },
      })
      serveLegacy({ 'tools/list': respond(403, '', { 'www-authenticate': 'Bearer error="invalid_token"' }) })
      expect(await probe()).to.deep.equal({ kind: 'http_error', status: 403 })
    })

    it('hears it although the answer never ends', async () => {
      upstream.script(() => (response) => {
        response.writeHead(401, { 'www-authenticate': challenge }).write('...')
      })
      expect(await probe(300)).to.deep.equal({ ...expected, status: 401 })
    })
  })

  describe('when the server is none, or broken', () => {
    const cases: readonly (readonly [string, Answer, ProbeOutcome])[] = [
      ['a page', respondHtml('<p>hello</p>'), { kind: 'not_mcp' }],
      ['other JSON', respondJson({ hello: 'world' }), { kind: 'not_mcp' }],
      ['broken JSON', respond(200, '{', { 'content-type': 'application/json' }), { kind: 'not_mcp' }],
      ['an empty answer', respond(200), { kind: 'not_mcp' }],
      ['a redirect', respond(302, '', { location: '/login' }), { kind: 'not_mcp' }],
      ['a coded body', respond(200, 'x', { 'content-encoding': 'gzip' }), { kind: 'not_mcp' }],
      ['404', respondHtml('not here', 404), { kind: 'http_error', status: 404 }],
      ['500', respond(500), { kind: 'http_error', status: 500 }],
      ['429', respond(429), { kind: 'http_error', status: 429 }],
      ['a closed socket', closeSocket(), { kind: 'unreachable' }],
    ]
    for (const [name, answer, outcome] of cases) {
      it(`says ${outcome.kind} to ${name}`, async () => {
        upstream.script(() => answer)
        expect(await probe()).to.deep.equal(outcome)
      })
    }

    it('says unreachable when nobody listens, without asking twice', async () => {
      await upstream.close()
      expect(await probe()).to.deep.equal({ kind: 'unreachable' })
      upstream = await startScriptedUpstream()
    })

    it('says something other than ok to an answer that is cut short', async () => {
      upstream.script(() => closeInBody('{"jsonrpc":'))
      expect((await probe(2000)).kind).to.be.oneOf(['not_mcp', 'unreachable'])
    })
  })

  describe('when the server is slow', () => {
    const slow: Readonly<Record<string, () => Answer>> = {
      hangs: hang,
      'hangs after its headers': hangAfterHeaders,
      'opens a stream and says nothing': () =>
        respondInPieces(
          (async function* () {
            for (;;) {
              yield ': still here\n\n'
              await new Promise((resolve) => setTimeout(resolve, 50).unref())
            }
          })(),
        ),
    }
    for (const [name, answer] of Object.entries(slow)) {
      it(`ends in time when it ${name}`, async () => {
        upstream.script(() => answer())
        const begun = performance.now()
        expect(await probe(600)).to.deep.equal({ kind: 'timeout' })
        expect(performance.now() - begun).to.be.below(1500)
        // and it leaves no socket behind
        await Promise.all(upstream.received.map(({ over }) => over))
      })
    }

    it('ends in time when only tools/list hangs', async () => {
      serveLegacy({ 'tools/list': hang() })
      expect(await probe(600)).to.deep.equal({ kind: 'timeout' })
    })
  })

  it('calls a modern server slow that is, whatever it says to the old question', async () => {
    for (const answer of [respond(400), respond(404), respondHtml('<p>hello</p>')]) {
      serveLegacy({ 'server/discover': hang(), initialize: answer })
      expect(await probe(900)).to.deep.equal({ kind: 'timeout' })
    }
    serveLegacy({ 'server/discover': hang(), initialize: respond(503) })
    expect(await probe(900)).to.deep.equal({ kind: 'http_error', status: 503 })
  })

  describe('when an older server chokes on the modern question', () => {
    const chokes: Readonly<Record<string, Answer>> = {
      'hangs on it': hang(),
      'answers 500': respond(500),
      'closes the socket': closeSocket(),
      'answers with a page': respondHtml('<p>hello</p>'),
    }
    for (const [name, answer] of Object.entries(chokes)) {
      it(`asks again in its own way: ${name}`, async () => {
        serveLegacy({ 'server/discover': answer })
        expect(await probe(1500)).to.include({ kind: 'ok', protocolVersion: '2025-11-25' })
      })
    }
  })

  it('SS-02: is refused by the guard like any other', async () => {
    const outcome = await createProbe({ fetch, openTransport })({ url: new URL('https://10.0.0.1/mcp'), headers: {} })
    expect(outcome).to.deep.equal({ kind: 'unreachable', isBlocked: true })
  })
})
