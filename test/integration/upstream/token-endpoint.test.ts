import { expect } from 'chai'
import { createAddressPolicy } from '../../../src/egress/address-policy.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedPost, type GuardedPost } from '../../../src/egress/guarded-post.ts'
import { isAppError } from '../../../src/kernel/app-error.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import type { AuthorizationServer } from '../../../src/upstream/authorization-server.ts'
import type { Client } from '../../../src/upstream/client.ts'
import { createTokenEndpoint, type ExchangeResult, type TokenEndpoint } from '../../../src/upstream/token-endpoint.ts'
import {
  closeSocket,
  hang,
  respond,
  respondJson,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { startCanaries } from '../egress/canary.ts'
import { openLoopbackFetch } from './loopback-fetch.ts'

const redirectUri = 'https://pb.example/callback'
const tokens = { access_token: 'at', token_type: 'Bearer', expires_in: '3600', refresh_token: 'rt', scope: 'a b' }
const publicClient: Client = { clientId: 'us', tokenEndpointAuthMethod: 'none' }

describe('createTokenEndpoint', () => {
  let as: ScriptedUpstream
  let post: GuardedPost
  let close: () => Promise<void>
  let endpoint: TokenEndpoint

  beforeEach(async () => {
    as = await startScriptedUpstream(() => respondJson(tokens))
    ;({ post, close } = openLoopbackFetch())
    endpoint = createTokenEndpoint({ post })
  })
  afterEach(async () => {
    await close()
    await as.close()
  })

  const server = (more: Partial<AuthorizationServer> = {}): AuthorizationServer => ({
    issuer: as.origin,
    authorizationEndpoint: `${as.origin}/authorize`,
    tokenEndpoint: `${as.origin}/token`,
    tokenEndpointAuthMethods: [],
    isIssParameterSupported: true,
    isClientIdMetadataDocumentSupported: false,
    isPkceVerified: true,
    isLegacyFallback: false,
    resource: 'https://mcp.example',
    scopes: [],
    scopesSource: 'none',
    ...more,
  })
  const exchange = (
    parameters: Readonly<Record<string, string>>,
    more: Partial<AuthorizationServer> = {},
    client = publicClient,
  ): Promise<ExchangeResult> =>
    endpoint.exchangeCode({
      server: server(more),
      client,
      redirectUri,
      callbackParameters: new URLSearchParams(parameters),
      expectedState: 'st',
      codeVerifier: new Secret('v'.repeat(43)),
    })
  const refresh = (client = publicClient, resource: string | null = 'https://mcp.example') =>
    endpoint.refresh({ server: server(), client, refreshToken: new Secret('rt'), resource })
  const form = (): Record<string, string> => Object.fromEntries(new URLSearchParams(as.received.at(-1)?.body))

  describe('exchangeCode', () => {
    it('MX-07: sends code, verifier, redirect URI and the same resource', async () => {
      const result = await exchange({ code: 'c', state: 'st', iss: as.origin })
      expect(form()).to.deep.equal({
        grant_type: 'authorization_code',
        code: 'c',
        code_verifier: 'v'.repeat(43),
        redirect_uri: redirectUri,
        client_id: 'us',
        resource: 'https://mcp.example',
      })
      if (result.kind !== 'ok') throw new Error(result.failure)
      expect(result.tokens.accessToken.reveal()).to.equal('at')
      expect(result.tokens.refreshToken?.reveal()).to.equal('rt')
      expect(result.tokens).to.deep.include({ expiresInSeconds: 3600, scopes: ['a', 'b'] })
    })

    it('leaves the resource out where there is none to send', async () => {
      await exchange({ code: 'c', state: 'st', iss: as.origin }, { resource: null })
      expect(form()).not.to.have.property('resource')
    })

    describe('RFC 9207', () => {
      const callbacks: readonly (readonly [string, boolean, string | null, boolean])[] = [
        ['advertised and right', true, '', true],
        ['advertised and missing', true, null, false],
        ['advertised and wrong', true, 'https://evil.example', false],
        ['advertised and empty', true, 'empty', false],
        ['advertised and with a slash added', true, '/', false],
        ['not advertised and right', false, '', true],
        ['not advertised and missing', false, null, true],
        ['not advertised and wrong', false, 'https://evil.example', false],
        ['not advertised and with a slash added', false, '/', false],
        ['not advertised and in capitals', false, 'capitals', false],
      ]
      for (const [name, isIssParameterSupported, iss, isAccepted] of callbacks) {
        // @guards src/upstream/token-endpoint.ts:configure
        it(`MX-02: iss ${name}: ${isAccepted ? 'goes on' : 'the code goes nowhere'}`, async () => {
          const values: Readonly<Record<string, string>> = {
            '': as.origin,
            '/': `${as.origin}/`,
            empty: '',
            capitals: as.origin.toUpperCase(),
          }
          const issuer = iss === null ? {} : { iss: values[iss] ?? iss }
          const result = await exchange({ code: 'c', state: 'st', ...issuer }, { isIssParameterSupported })
          expect(result).to.deep.include(
            isAccepted ? { kind: 'ok' } : { kind: 'failed', failure: 'authorization_server_invalid' },
          )
          expect(as.received.length).to.equal(isAccepted ? 1 : 0)
        })
      }
    })

    it('CB-07: acts on an error only when it comes from the right issuer', async () => {
      const failures: readonly (readonly [Record<string, string>, string])[] = [
        [{ error: 'access_denied', iss: as.origin }, 'authorization_denied'],
        [{ error: 'access_denied', iss: 'https://evil.example' }, 'authorization_server_invalid'],
        [{ error: 'access_denied' }, 'authorization_server_invalid'],
        [{ error: 'invalid_scope', iss: as.origin }, 'authorization_failed'],
        [{ error: 'server_error', iss: as.origin }, 'upstream_error'],
      ]
      for (const [parameters, failure] of failures) {
        expect(await exchange({ state: 'st', ...parameters })).to.include({ kind: 'failed', failure })
      }
      expect(as.received.length).to.equal(0)
    })

    it('passes over what a server sends along of other flows', async () => {
      for (const name of ['id_token', 'token', 'access_token', 'session_state']) {
        expect(await exchange({ code: 'c', state: 'st', iss: as.origin, [name]: 'x' }), name).to.include({ kind: 'ok' })
      }
      const error = { error: 'access_denied', state: 'st', iss: as.origin, id_token: 'x' }
      expect(await exchange(error)).to.include({ failure: 'authorization_denied' })
    })

    it('CB-01: takes no other state, no two of them, and no code twice', async () => {
      for (const query of [
        'code=c&state=other',
        'code=c',
        'code=c&state=st&state=st',
        'code=c&code=d&state=st',
        'state=st',
        'code=&state=st',
        'code=c&state=st&response=jarm',
      ]) {
        const result = await endpoint.exchangeCode({
          server: server(),
          client: publicClient,
          redirectUri,
          callbackParameters: new URLSearchParams(`${query}&iss=${encodeURIComponent(as.origin)}`),
          expectedState: 'st',
          codeVerifier: new Secret('v'.repeat(43)),
        })
        expect(result.kind, query).to.equal('failed')
      }
      expect(as.received.length).to.equal(0)
    })

    it('says by a code of ours why the exchange failed', async () => {
      const answers: readonly (readonly [ReturnType<typeof respond>, string, isClientUnknown?: boolean])[] = [
        [respondJson({ error: 'invalid_grant' }, 400), 'authorization_failed'],
        [respondJson({ error: 'invalid_client' }, 401), 'authorization_failed', true],
        [respondJson({ error: 'unauthorized_client' }, 400), 'authorization_failed'],
        [respondJson({ error: 'bad_verification_code' }, 200), 'authorization_failed'],
        [respond(500), 'upstream_error'],
        [respond(200, '<html>'), 'upstream_protocol_error'],
        [respond(307, '', { location: '/elsewhere' }), 'upstream_protocol_error'],
        [closeSocket(), 'upstream_unreachable'],
      ]
      for (const [answer, failure, isClientUnknown = false] of answers) {
        as.script(() => answer)
        const result = await exchange({ code: 'c', state: 'st', iss: as.origin })
        expect(result).to.deep.equal({ kind: 'failed', failure, isClientUnknown })
      }
    })

    it('takes no offence at what it did not ask for', async () => {
      as.script(() =>
        respondJson({ ...tokens, id_token: 'no.jwt.atall', token_type: 'BEARER', extra: { a: [] }, scope: null }),
      )
      expect(await exchange({ code: 'c', state: 'st', iss: as.origin, session_state: 'x' })).to.have.property(
        'kind',
        'ok',
      )
    })
  })

  describe('refresh', () => {
    it('MX-07: sends the refresh token and the same resource, and no scope', async () => {
      expect(await refresh()).to.have.property('kind', 'ok')
      expect(form()).to.deep.equal({
        grant_type: 'refresh_token',
        refresh_token: 'rt',
        client_id: 'us',
        resource: 'https://mcp.example',
      })
      await refresh(publicClient, null)
      expect(form()).not.to.have.property('resource')
    })

    it('authenticates as the client is registered (C22)', async () => {
      const clientSecret = new Secret('s:h h')
      await refresh({ clientId: 'us-1_a.b:c', clientSecret, tokenEndpointAuthMethod: 'client_secret_basic' })
      // RFC 6749 section 2.3.1: both parts are form-encoded first; what needs no escape gets none
      const basic = Buffer.from('us-1_a.b%3Ac:s%3Ah+h').toString('base64')
      expect(as.received.at(-1)?.headers.authorization).to.equal(`Basic ${basic}`)
      expect(form()).not.to.have.any.keys('client_id', 'client_secret')

      await refresh({ clientId: 'us', clientSecret, tokenEndpointAuthMethod: 'client_secret_post' })
      expect(form()).to.include({ client_id: 'us', client_secret: 's:h h' })
      expect(as.received.at(-1)?.headers).not.to.have.property('authorization')

      await refresh({ clientId: 'us', clientSecret, tokenEndpointAuthMethod: 'none' })
      expect(form()).to.include({ client_id: 'us' }).and.not.have.property('client_secret')
      expect(as.received.at(-1)?.headers).not.to.have.property('authorization')
    })

    it('REL-10: comes to an outcome whatever happens', async () => {
      const answers: readonly (readonly [ReturnType<typeof respond>, object])[] = [
        [respondJson({ error: 'invalid_grant' }, 400), { kind: 'rejected' }],
        [respondJson({ error: 'bad_refresh_token' }, 200), { kind: 'rejected' }],
        [respondJson({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic' }), { kind: 'client_rejected' }],
        [respondJson({ error: 'invalid_scope' }, 400), { kind: 'config' }],
        [respond(429, '', { 'retry-after': '9' }), { kind: 'transient', isAmbiguous: false, retryAfterMs: 9000 }],
        [respond(502), { kind: 'transient', isAmbiguous: true }],
        [closeSocket(), { kind: 'transient', isAmbiguous: true }],
        [respond(200, JSON.stringify(tokens), { 'content-type': 'text/plain' }), { kind: 'ok' }],
        [respond(200, 'a'.repeat(70_000)), { kind: 'malformed' }],
        [respond(200, '{"access_token"'), { kind: 'malformed' }],
        [respond(302, '', { location: '/elsewhere' }), { kind: 'malformed' }],
        [respond(200, JSON.stringify(tokens), { 'content-encoding': 'gzip' }), { kind: 'malformed' }],
      ]
      for (const [answer, outcome] of answers) {
        as.script(() => answer)
        expect(await refresh()).to.deep.include(outcome)
      }
      expect(
        as.received.every(({ target }) => target === '/token'),
        'SS-07',
      ).to.equal(true)
    })

    it('REL-10: knows that nothing was sent when nobody listens', async () => {
      const { tokenEndpoint } = server()
      await as.close()
      const outcome = await endpoint.refresh({
        server: { issuer: 'https://as.example', tokenEndpoint },
        client: publicClient,
        refreshToken: new Secret('rt'),
        resource: null,
      })
      expect(outcome).to.deep.equal({ kind: 'transient', isAmbiguous: false, reason: 'upstream_unreachable' })
      as = await startScriptedUpstream()
    })

    it('SS-14: sends no token where the stored endpoint now leads into a private network', async () => {
      const canary = await startCanaries(['127.0.0.1'])
      const policy = createAddressPolicy({ allow: [], allowLoopback: false, ports: [canary.port] })
      const dispatcher = createGuardedDispatcher({
        policy,
        lookup: async () => [{ address: '127.0.0.1', family: 4 }],
      })
      const guarded = createTokenEndpoint({ post: createGuardedPost({ policy, dispatcher }) })
      const re = { issuer: 'https://as.example', tokenEndpoint: `https://as.example:${canary.port}/token` }
      const outcome = await guarded.refresh({
        server: re,
        client: publicClient,
        refreshToken: new Secret('rt'),
        resource: null,
      })
      expect(outcome).to.deep.include({ kind: 'transient', isAmbiguous: false, reason: 'egress_blocked' })
      const revocation = guarded.revoke({
        server: { ...re, revocationEndpoint: re.tokenEndpoint },
        client: publicClient,
        token: new Secret('rt'),
      })
      expect(await revocation.catch((error: unknown) => isAppError(error, 'egress_blocked'))).to.equal(true)
      expect(canary.connections()).to.equal(0)
      await dispatcher.destroy()
      await canary.close()
    })

    it('SS-08: ends when the server never answers', async () => {
      as.script(() => hang())
      const quick: GuardedPost = (url, init) => post(url, { ...init, totalMs: Math.min(init.totalMs ?? 0, 150) })
      endpoint = createTokenEndpoint({ post: quick })
      expect(await refresh()).to.deep.equal({ kind: 'transient', isAmbiguous: true, reason: 'upstream_timeout' })
    })
  })

  describe('revoke', () => {
    const revoke = (client = publicClient): Promise<void> =>
      endpoint.revoke({
        server: { ...server(), revocationEndpoint: `${as.origin}/revoke` },
        client,
        token: new Secret('rt'),
      })

    it('sends the token, authenticated', async () => {
      await revoke({ clientId: 'us', clientSecret: new Secret('s'), tokenEndpointAuthMethod: 'client_secret_post' })
      expect(as.received[0]?.target).to.equal('/revoke')
      expect(form()).to.deep.equal({ token: 'rt', client_id: 'us', client_secret: 's' })
    })

    it('does not mind what the server answers, and says when it could not be asked', async () => {
      for (const answer of [respond(200), respond(503), respondJson({ error: 'unsupported_token_type' }, 400)]) {
        as.script(() => answer)
        await revoke()
      }
      as.script(() => closeSocket())
      expect(await revoke().catch((error: unknown) => isAppError(error, 'upstream_unreachable'))).to.equal(true)
    })
  })
})
