import { expect } from 'chai'
import type { GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { type AppError, isAppError } from '../../../src/kernel/app-error.ts'
import { parseResourceUrl } from '../../../src/kernel/resource-url.ts'
import type { AuthorizationServer } from '../../../src/upstream/authorization-server.ts'
import type { Challenge } from '../../../src/upstream/challenge.ts'
import { createDiscover, type DiscoverRequest } from '../../../src/upstream/discover.ts'
import type { DiscoveryStep } from '../../../src/upstream/discovery-step.ts'
import {
  type Answer,
  hang,
  respond,
  respondHtml,
  respondJson,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { openLoopbackFetch } from './loopback-fetch.ts'

const rootPrm = '/.well-known/oauth-protected-resource'
const pathPrm = `${rootPrm}/mcp`
const oauthMetadata = '/.well-known/oauth-authorization-server'
const openidMetadata = '/.well-known/openid-configuration'

describe('createDiscover', () => {
  let mcp: ScriptedUpstream
  let as: ScriptedUpstream
  let fetch: GuardedFetch
  let close: () => Promise<void>
  let steps: DiscoveryStep[]

  beforeEach(async () => {
    mcp = await startScriptedUpstream()
    as = await startScriptedUpstream()
    ;({ fetch, close } = openLoopbackFetch())
    steps = []
  })
  afterEach(async () => {
    await close()
    await Promise.all([mcp.close(), as.close()])
  })

  /** Answers by path; anything else is 404. */
  const serve = (server: ScriptedUpstream, answers: Readonly<Record<string, Answer>>): void =>
    server.script(({ target }) => answers[target] ?? respond(404))
  const metadata = (issuer: string, more: object = {}): object => ({
    issuer,
    authorization_endpoint: `${as.origin}/authorize`,
    token_endpoint: `${as.origin}/token`,
    code_challenge_methods_supported: ['S256'],
    ...more,
  })
  const prm = (more: object = {}): object => ({ resource: mcp.url, authorization_servers: [as.origin], ...more })
  const discover = (
    challenge: Challenge | null = null,
    options: Partial<Parameters<typeof createDiscover>[0]> = {},
    request: Pick<DiscoverRequest, 'grant' | 'permits'> = {},
  ): Promise<AuthorizationServer> =>
    createDiscover({ fetch, ...options })({
      ...request,
      url: parseResourceUrl(mcp.url),
      challenge,
      onStep: (step) => steps.push(step),
    })
  const failureOf = async (found: Promise<unknown>): Promise<AppError> => {
    const outcome = await found.catch((error: unknown) => error)
    if (isAppError(outcome)) return outcome
    throw new Error(`no failure: ${JSON.stringify(outcome)}`)
  }
  const targets = (server: ScriptedUpstream): string[] => server.received.map(({ target }) => target)

  it('finds metadata by path and tells all that a grant needs', async () => {
    serve(mcp, { [pathPrm]: respondJson(prm({ scopes_supported: ['a', 'b'] })) })
    serve(as, {
      [oauthMetadata]: respondJson(
        metadata(as.origin, {
          registration_endpoint: `${as.origin}/register`,
          revocation_endpoint: `${as.origin}/revoke`,
          token_endpoint_auth_methods_supported: ['none'],
          authorization_response_iss_parameter_supported: true,
          client_id_metadata_document_supported: true,
          jwks_uri: null,
        }),
      ),
    })
    expect(await discover()).to.deep.equal({
      issuer: as.origin,
      authorizationEndpoint: `${as.origin}/authorize`,
      tokenEndpoint: `${as.origin}/token`,
      registrationEndpoint: `${as.origin}/register`,
      revocationEndpoint: `${as.origin}/revoke`,
      tokenEndpointAuthMethods: ['none'],
      isIssParameterSupported: true,
      isClientIdMetadataDocumentSupported: true,
      isPkceVerified: true,
      isLegacyFallback: false,
      resource: mcp.url,
      scopes: ['a', 'b'],
      scopesSource: 'protected_resource_metadata',
    })
    // C2: the root is not asked once the path has answered
    expect(targets(mcp)).to.deep.equal([pathPrm])
    expect(targets(as)).to.deep.equal([oauthMetadata])
    expect(steps.map(({ source, status, verdict }) => [source, status, verdict])).to.deep.equal([
      ['path', 200, 'used'],
      ['root', 200, 'used'],
    ])
  })

  describe('protected resource metadata', () => {
    beforeEach(() => serve(as, { [oauthMetadata]: respondJson(metadata(as.origin)) }))

    it('is read where the challenge points, and nowhere else (C2)', async () => {
      serve(mcp, { '/elsewhere': respondJson(prm()), [pathPrm]: respondJson(prm({ resource: `${mcp.origin}/other` })) })
      await discover({ resourceMetadata: `${mcp.origin}/elsewhere` })
      expect(targets(mcp)).to.deep.equal(['/elsewhere'])
    })

    it('is looked for in the known places when the pointer leads nowhere', async () => {
      serve(mcp, { [rootPrm]: respondJson(prm()) })
      await discover({ resourceMetadata: `${mcp.origin}/gone` })
      expect(targets(mcp)).to.deep.equal(['/gone', pathPrm, rootPrm])
    })

    it('is read at the root when by path there is a page, JSON of another kind, or nothing', async () => {
      for (const answer of [respondHtml('<p>app</p>'), respondJson({ message: 'hello' }), respond(401), respond(204)]) {
        serve(mcp, { [pathPrm]: answer, [rootPrm]: respondJson(prm({ resource: mcp.origin })) })
        // C12: the resource is sent on as it is written, without an added slash
        expect((await discover()).resource).to.equal(mcp.origin)
      }
    })

    it('MX-06: for another resource ends the search', async () => {
      serve(mcp, {
        [pathPrm]: respondJson(prm({ resource: 'https://evil.example/mcp' })),
        [rootPrm]: respondJson(prm()),
      })
      const error = await failureOf(discover())
      expect(error.code).to.equal('authorization_server_invalid')
      expect(steps.at(-1)?.verdict).to.equal('resource_mismatch')
      expect(targets(mcp)).to.deep.equal([pathPrm])
      expect(as.received.length).to.equal(0)
    })

    it('SS-09: that is broken ends the search', async () => {
      serve(mcp, {
        [pathPrm]: respondJson(prm({ authorization_servers: Array.from({ length: 11 }, () => as.origin) })),
      })
      expect((await failureOf(discover())).code).to.equal('authorization_server_invalid')
    })

    it('SS-02: at an address that the guard refuses is not asked for', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      for (const pointer of ['http://10.0.0.1/x', 'http://metadata.google.internal/', 'https://192.168.0.1/']) {
        steps = []
        await discover({ resourceMetadata: pointer })
        expect(steps[0]?.verdict, pointer).to.equal('blocked')
      }
    })

    it('may be three redirects away, each of which is checked', async () => {
      serve(mcp, { [pathPrm]: respond(302, '', { location: '/moved' }), '/moved': respondJson(prm()) })
      expect((await discover()).issuer).to.equal(as.origin)
      serve(mcp, { [pathPrm]: respond(302, '', { location: 'http://10.0.0.1/' }), [rootPrm]: respondJson(prm()) })
      steps = []
      await discover()
      expect(steps.map(({ verdict }) => verdict)).to.deep.equal(['blocked', 'used', 'used'])
    })
  })

  describe('authorization server metadata', () => {
    it('is looked for in three places for an issuer with a path (C3)', async () => {
      const issuer = `${as.origin}/tenant`
      serve(mcp, { [pathPrm]: respondJson(prm({ authorization_servers: [issuer] })) })
      serve(as, { [`/tenant${openidMetadata}`]: respondJson(metadata(issuer)) })
      expect((await discover()).issuer).to.equal(issuer)
      expect(targets(as)).to.deep.equal([
        `${oauthMetadata}/tenant`,
        `${openidMetadata}/tenant`,
        `/tenant${openidMetadata}`,
      ])
    })

    it('is looked for in two places for an issuer without one (C3)', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      serve(as, { [oauthMetadata]: respondHtml('<p>app</p>'), [openidMetadata]: respondJson(metadata(as.origin)) })
      expect((await discover()).issuer).to.equal(as.origin)
    })

    it('keeps the slash with which an issuer is written', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm({ authorization_servers: [`${as.origin}/`] })) })
      serve(as, { [oauthMetadata]: respondJson(metadata(`${as.origin}/`)) })
      expect((await discover()).issuer).to.equal(`${as.origin}/`)
    })

    it('MX-01: that names another issuer is discarded', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      for (const issuer of ['https://evil.example', `${as.origin}/`]) {
        serve(as, { [oauthMetadata]: respondJson(metadata(issuer)) })
        expect((await failureOf(discover())).code, issuer).to.equal('authorization_server_invalid')
      }
      serve(as, {
        [oauthMetadata]: respondJson(metadata('https://evil.example')),
        [openidMetadata]: respondJson(metadata(as.origin)),
      })
      expect((await discover()).issuer, 'the right one stands in the next place').to.equal(as.origin)
    })

    it('SS-03: with an authorization page that is none is refused', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      for (const authorization_endpoint of ['javascript:alert(1)', 'http://internal/authorize', 'file:///etc/passwd']) {
        serve(as, { [oauthMetadata]: respondJson(metadata(as.origin, { authorization_endpoint })) })
        expect((await failureOf(discover())).code).to.equal('authorization_server_invalid')
      }
    })

    // @guards src/upstream/discover.ts:describe
    it('PK-01: without S256 is refused', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      for (const code_challenge_methods_supported of [undefined, null, [], ['plain'], 'S256']) {
        serve(as, { [oauthMetadata]: respondJson(metadata(as.origin, { code_challenge_methods_supported })) })
        expect((await failureOf(discover())).code).to.equal('pkce_unsupported')
      }
    })

    it('PK-01: without S256 is taken where an operator says so, or where no person authorizes', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      serve(as, { [oauthMetadata]: respondJson(metadata(as.origin, { code_challenge_methods_supported: undefined })) })
      for (const request of [{ permits: { isPkceUnlisted: true } }, { grant: 'client_credentials' }] as const) {
        expect(await discover(null, {}, request)).to.include({ issuer: as.origin, isPkceVerified: false })
      }
    })

    it('for a client that acts for itself may have nothing but a token endpoint', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      const bare = {
        issuer: as.origin,
        token_endpoint: `${as.origin}/token`,
        grant_types_supported: ['client_credentials'],
      }
      serve(as, { [oauthMetadata]: respondJson(bare) })
      const found = await discover(null, {}, { grant: 'client_credentials' })
      expect(found).to.include({ tokenEndpoint: `${as.origin}/token`, authorizationEndpoint: null })
      expect((await failureOf(discover())).code, 'control: nobody can be sent there').to.equal(
        'authorization_server_invalid',
      )
    })

    // @guards src/upstream/discover.ts:namesOf
    it('MX-08: may go by another name only where an operator says which, and stands for it there', async () => {
      const issuer = 'https://real-name.example'
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      serve(as, { [oauthMetadata]: respondJson(metadata(issuer)) })
      const named = (alias: { identifier: string; issuer: string }) =>
        discover(null, {}, { permits: { isPkceUnlisted: false, alias } })
      expect(await named({ identifier: as.origin, issuer })).to.include({ issuer })
      for (const alias of [
        // a server that is not the one meant speaks in its name: nothing of the operator's may go there
        { identifier: 'https://alias.example', issuer },
        { identifier: `${as.origin}/`, issuer },
        { identifier: as.origin, issuer: 'https://other-name.example' },
      ]) {
        expect((await failureOf(named(alias))).code).to.equal('authorization_server_invalid')
      }
    })

    it('that is nowhere is said to be missing, and nothing is guessed', async () => {
      serve(mcp, { [pathPrm]: respondJson(prm()) })
      expect((await failureOf(discover())).code).to.equal('authorization_server_not_found')
      serve(mcp, { [pathPrm]: respondJson(prm({ authorization_servers: ['http://10.0.0.1'] })) })
      expect((await failureOf(discover())).code).to.equal('authorization_server_not_found')
      serve(mcp, { [pathPrm]: respondJson(prm({ authorization_servers: ['javascript:alert(1)'] })) })
      expect((await failureOf(discover())).code).to.equal('authorization_server_invalid')
    })
  })

  describe('a server without protected resource metadata (2025-03-26)', () => {
    it('has its metadata on its own origin, with either spelling of it', async () => {
      for (const issuer of [mcp.origin, `${mcp.origin}/`]) {
        const own = metadata(issuer, { authorization_endpoint: `${mcp.origin}/authorize` })
        serve(mcp, { [oauthMetadata]: respondJson(own) })
        expect(await discover()).to.include({
          issuer,
          resource: mcp.url,
          isLegacyFallback: false,
          isPkceVerified: true,
        })
      }
    })

    it('has the default endpoints when it publishes nothing at all', async () => {
      expect(await discover({ scope: 'a' })).to.deep.include({
        issuer: mcp.origin,
        authorizationEndpoint: `${mcp.origin}/authorize`,
        tokenEndpoint: `${mcp.origin}/token`,
        registrationEndpoint: `${mcp.origin}/register`,
        isLegacyFallback: true,
        isPkceVerified: false,
        scopes: ['a'],
      })
      const error = await failureOf(discover(null, { isLegacyFallbackAllowed: false }))
      expect(error.code).to.equal('authorization_server_not_found')
    })

    // @guards src/upstream/discovery-step.ts:isSettled
    it('MX-04: has no default endpoints while an answer failed to come', async () => {
      for (const answer of [respond(503), respond(429), hang()]) {
        serve(mcp, { [rootPrm]: answer })
        const error = await failureOf(discover(null, { totalMs: 300 }))
        expect(error.code).to.be.oneOf(['authorization_server_not_found', 'upstream_timeout'])
      }
    })

    it('MX-04: has no default endpoints when its metadata is for somebody else', async () => {
      serve(mcp, { [oauthMetadata]: respondJson(metadata('https://evil.example')) })
      expect((await failureOf(discover())).code).to.equal('authorization_server_invalid')
    })
  })

  describe('scopes', () => {
    const scopesOf = async (challenge: Challenge | null, resource: object, server: object) => {
      serve(mcp, { [pathPrm]: respondJson(prm(resource)) })
      serve(as, { [oauthMetadata]: respondJson(metadata(as.origin, server)) })
      const { scopes, scopesSource } = await discover(challenge)
      return [scopesSource, ...scopes]
    }
    const offline = { scopes_supported: ['a', 'offline_access'] }

    it('come from the challenge, else from the resource, else there are none (C13)', async () => {
      expect(await scopesOf({ scope: 'x y' }, { scopes_supported: ['a'] }, {})).to.deep.equal(['challenge', 'x', 'y'])
      expect(await scopesOf({ scope: '' }, { scopes_supported: ['a', 'b'] }, {})).to.deep.equal([
        'protected_resource_metadata',
        'a',
        'b',
      ])
      expect(await scopesOf(null, {}, { scopes_supported: ['a', 'b'] })).to.deep.equal(['none'])
    })

    it('include offline_access only where the authorization server lists it, and never alone (C14)', async () => {
      expect(await scopesOf({ scope: 'x' }, {}, offline)).to.deep.equal(['challenge', 'x', 'offline_access'])
      expect(await scopesOf({ scope: 'x' }, {}, {})).to.deep.equal(['challenge', 'x'])
      expect(await scopesOf(null, {}, offline)).to.deep.equal(['none'])
    })
  })

  it('SS-08: ends in time when everything hangs', async () => {
    mcp.script(() => hang())
    const begun = performance.now()
    const error = await failureOf(discover(null, { totalMs: 300 }))
    expect(error.code).to.equal('upstream_timeout')
    expect(performance.now() - begun).to.be.below(1500)
  })

  it('SS-10: says what is wrong in words of its own', async () => {
    serve(mcp, { [pathPrm]: respondJson({ resource: 'https://secret.example', error: '<script>secret</script>' }) })
    expect((await failureOf(discover())).publicDetail)
      .to.be.a('string')
      .that.does.not.contain('secret')
  })
})
