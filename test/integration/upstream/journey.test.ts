import { expect } from 'chai'
import type { GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import type { GuardedPost } from '../../../src/egress/guarded-post.ts'
import { parseResourceUrl } from '../../../src/kernel/resource-url.ts'
import { randomToken, Secret } from '../../../src/kernel/secret.ts'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { buildAuthorizationUrl } from '../../../src/upstream/authorization-request.ts'
import { type AuthorizationServer, authorizationServerSchema } from '../../../src/upstream/authorization-server.ts'
import type { Client } from '../../../src/upstream/client.ts'
import { createDiscover } from '../../../src/upstream/discover.ts'
import type { OpenLegacyTransport } from '../../../src/upstream/legacy-transport.ts'
import { createProbe, type ProbeOutcome } from '../../../src/upstream/probe.ts'
import { createRegisterClient } from '../../../src/upstream/register-client.ts'
import { createTokenEndpoint, type TokenSet } from '../../../src/upstream/token-endpoint.ts'
import { createBrowser } from '../../support/upstreams/browser.ts'
import { startSdkSimpleOAuth } from '../../support/upstreams/sdk-simple-oauth.ts'
import { openLoopbackFetch } from './loopback-fetch.ts'

const redirectUri = 'http://localhost:9/callback'

type Granted = { readonly server: AuthorizationServer; readonly client: Client; readonly tokens: TokenSet }

describe('connecting to a server from its URL alone', () => {
  let fetch: GuardedFetch
  let post: GuardedPost
  let openTransport: OpenLegacyTransport
  let close: () => Promise<void>

  before(() => {
    ;({ fetch, post, openTransport, close } = openLoopbackFetch())
  })
  after(() => close())

  const probe = (url: string, tokens?: TokenSet): Promise<ProbeOutcome> =>
    createProbe({ fetch, openTransport })({
      url: new URL(url),
      headers: tokens === undefined ? {} : { authorization: new Secret(`Bearer ${tokens.accessToken.reveal()}`) },
    })

  /** Probe, discovery, registration, the person's part, exchange. */
  const connect = async (
    url: string,
    person: (authorizationUrl: URL) => Promise<string>,
    adapt: (server: AuthorizationServer) => AuthorizationServer = (server) => server,
  ): Promise<Granted> => {
    const outcome = await probe(url)
    if (outcome.kind !== 'unauthorized') throw new Error(`the probe says ${outcome.kind}`)
    const found = await createDiscover({ fetch })({ url: parseResourceUrl(url), challenge: outcome.challenge })
    // As it is stored between the two halves of a flow.
    const server = adapt(authorizationServerSchema.parse(JSON.parse(JSON.stringify(found))))
    const client = await createRegisterClient({ fetch })({ server, redirectUri })
    const state = randomToken()
    const codeVerifier = new Secret(randomToken())
    const arrived = await person(
      buildAuthorizationUrl({ server, clientId: client.clientId, redirectUri, state, codeVerifier }),
    )
    const result = await createTokenEndpoint({ post }).exchangeCode({
      server,
      client,
      redirectUri,
      callbackParameters: new URL(arrived).searchParams,
      expectedState: state,
      codeVerifier,
    })
    if (result.kind !== 'ok') throw new Error(`the exchange says ${result.failure}`)
    return { server, client, tokens: result.tokens }
  }

  describe('the sandbox (oidc-provider)', () => {
    let sandbox: Sandbox
    beforeEach(async () => {
      sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    })
    afterEach(() => sandbox.close())

    const authorize = async (url: URL): Promise<string> => {
      const browser = createBrowser({ stopAt: [redirectUri] })
      await browser.open(url.href)
      return (await browser.submit({ button: 'Authorize', fields: { name: 'Alice' } })).url
    }

    for (const method of ['none', 'client_secret_basic', 'client_secret_post'] as const) {
      it(`grants, refreshes and revokes with ${method}`, async () => {
        const { server, client, tokens } = await connect(sandbox.url, authorize, (found) => ({
          ...found,
          tokenEndpointAuthMethods: [method],
        }))
        expect(client.tokenEndpointAuthMethod).to.equal(method)
        expect(server).to.include({ issuer: sandbox.issuer, resource: sandbox.url, isIssParameterSupported: true })
        expect(await probe(sandbox.url, tokens)).to.include({ kind: 'ok', protocolVersion: '2026-07-28' })
        expect(tokens.expiresInSeconds).to.equal(60)

        const endpoint = createTokenEndpoint({ post })
        const { refreshToken } = tokens
        if (refreshToken === undefined) throw new Error('no refresh token')
        const refreshed = await endpoint.refresh({ server, client, refreshToken, resource: server.resource })
        if (refreshed.kind !== 'ok') throw new Error(`the refresh says ${refreshed.kind}`)
        const next = refreshed.tokens.refreshToken
        expect(next?.reveal(), 'rotated').not.to.equal(refreshToken.reveal())
        expect(await probe(sandbox.url, refreshed.tokens)).to.include({ kind: 'ok' })

        const { revocationEndpoint } = server
        if (revocationEndpoint === undefined || next === undefined) throw new Error('nothing to revoke')
        await endpoint.revoke({ server: { ...server, revocationEndpoint }, client, token: next })
        const over = await endpoint.refresh({ server, client, refreshToken: next, resource: server.resource })
        expect(over).to.deep.equal({ kind: 'rejected', error: 'invalid_grant' })
        expect(await probe(sandbox.url, refreshed.tokens)).to.include({ kind: 'unauthorized', status: 401 })
      })
    }

    it('says so when the person denies', async () => {
      const deny = async (url: URL): Promise<string> => {
        const browser = createBrowser({ stopAt: [redirectUri] })
        await browser.open(url.href)
        return (await browser.submit({ button: 'Deny' })).url
      }
      const outcome = await connect(sandbox.url, deny).catch((error: Error) => error.message)
      expect(outcome).to.equal('the exchange says authorization_denied')
    })

    it('tells a client that is not known there from a grant that is over', async () => {
      const { server, tokens } = await connect(sandbox.url, authorize)
      const { refreshToken } = tokens
      if (refreshToken === undefined) throw new Error('no refresh token')
      const stranger: Client = { clientId: 'nobody', tokenEndpointAuthMethod: 'none' }
      const outcome = await createTokenEndpoint({ post }).refresh({
        server,
        client: stranger,
        refreshToken,
        resource: server.resource,
      })
      expect(outcome).to.have.property('kind', 'client_rejected')
    })
  })

  it("the MCP SDK's example with its demo authorization server, whose issuer ends in a slash", async () => {
    const upstream = await startSdkSimpleOAuth()
    try {
      const { server, tokens } = await connect(
        upstream.url,
        async (url) => (await createBrowser({ stopAt: [redirectUri] }).open(url.href)).url,
      )
      expect(server.issuer).to.equal(upstream.issuer)
      expect(tokens).not.to.have.property('refreshToken')
      expect(await probe(upstream.url, tokens)).to.include({ kind: 'ok', protocolVersion: '2025-11-25' })
    } finally {
      await upstream.close()
    }
  })
})
