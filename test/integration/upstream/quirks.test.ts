import { expect } from 'chai'
import { createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  answerRpc,
  code,
  type OauthQuirks,
  paths,
  type QuirkyOauth,
  startQuirkyOauth,
} from '../../support/upstreams/quirky-oauth.ts'
import { respond, respondHtml, respondJson, type ScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'

/** A connector as it is afterwards. */
type Connector = {
  readonly scopes: string[]
  readonly token_expires_at: string | null
  readonly next_refresh_at: string | null
}
type After = { readonly upstream: QuirkyOauth; readonly connector: Connector }

type Quirk = {
  readonly title: string
  readonly quirks?: (site: Pick<ScriptedUpstream, 'origin' | 'url'>) => OauthQuirks
  /** Default: connected. `connect`: refused with this code; `callback`: the link leads to a failure with this code. */
  readonly fails?: { readonly connect: string } | { readonly callback: string }
  readonly check?: (after: After) => void
}

const lastToken = ({ upstream }: After) => upstream.tokenRequests.at(-1) ?? {}
const lastAuthorization = ({ upstream }: After) => upstream.authorizations.at(-1) ?? {}
const secondsLeft = ({ connector }: After) => (Date.parse(connector.token_expires_at ?? '') - Date.now()) / 1000
const document = (site: { origin: string }, more: object = {}) => ({
  issuer: site.origin,
  authorization_endpoint: `${site.origin}/authorize`,
  token_endpoint: `${site.origin}/token`,
  registration_endpoint: `${site.origin}/register`,
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['none'],
  ...more,
})
const refusal = (fields: object, status: number) => ({ answers: { '/token': respondJson(fields, status) } })

const table: Readonly<Record<string, readonly Quirk[]>> = {
  'the challenge': [
    { title: 'nothing unusual (control)' },
    { title: 'is missing', quirks: () => ({ challenge: null }) },
    { title: 'names no metadata', quirks: () => ({ challenge: 'Bearer realm="mcp"' }) },
    {
      title: 'stands behind another scheme, without commas, in lower case',
      quirks: ({ origin }) => ({
        challenge: `Basic realm="x, y", bearer error="invalid_token" resource_metadata="${origin}${paths.resourceByPath}"`,
      }),
    },
    {
      title: 'points where nothing is',
      quirks: ({ origin }) => ({ challenge: `Bearer resource_metadata="${origin}/gone"` }),
    },
    {
      title: 'SS-09: brings parameters that are named like what every object has',
      quirks: ({ origin }) => ({
        challenge: `Bearer constructor="x", __proto__="y", toString="z", resource_metadata="${origin}${paths.resourceByPath}"`,
      }),
    },
    {
      title: 'comes only with tools/list',
      quirks: ({ origin }) => ({
        answers: {
          '/mcp': (response, request) => {
            const isAllowed = request.headers.authorization !== undefined || !request.body.includes('tools/list')
            const challenge = { 'www-authenticate': `Bearer resource_metadata="${origin}${paths.resourceByPath}"` }
            const answer = isAllowed ? answerRpc(request.method, request.body) : respond(401, '', challenge)
            return answer(response, request)
          },
        },
      }),
    },
  ],
  "the resource's metadata": [
    {
      title: 'is at the root only',
      quirks: ({ origin, url }) => ({
        challenge: null,
        answers: {
          [paths.resourceByPath]: null,
          [paths.resourceAtRoot]: respondJson({ resource: url, authorization_servers: [origin] }),
        },
      }),
    },
    {
      title: 'names the origin only, which is then what is asked for',
      quirks: ({ origin }) => ({ resource: { resource: origin } }),
      check: (after) => {
        expect(lastAuthorization(after).resource).to.equal(after.upstream.origin)
        expect(lastToken(after).resource).to.equal(after.upstream.origin)
      },
    },
    {
      title: 'names the origin with a slash, which is not taken away',
      quirks: ({ origin }) => ({ resource: { resource: `${origin}/` } }),
      check: (after) => expect(lastToken(after).resource).to.equal(`${after.upstream.origin}/`),
    },
    { title: 'lists no authorization server', quirks: () => ({ resource: { authorization_servers: undefined } }) },
    { title: 'has null for what it has not', quirks: () => ({ resource: { scopes_supported: null, jwks_uri: null } }) },
    {
      title: 'is a page for people, with status 200',
      quirks: () => ({ challenge: null, answers: { [paths.resourceByPath]: respondHtml('<h1>Not found</h1>') } }),
    },
    {
      title: 'is there for nobody: the metadata on the origin counts',
      quirks: () => ({ challenge: null, answers: { [paths.resourceByPath]: null } }),
    },
    {
      title: 'names another resource',
      quirks: () => ({ resource: { resource: 'https://other.example/mcp' } }),
      fails: { connect: 'authorization_server_invalid' },
    },
  ],
  'what is published holds a character that PostgreSQL does not keep': [
    {
      title: 'SS-09: the resource',
      quirks: ({ url }) => ({ resource: { resource: `${url}\u0000` } }),
      fails: { connect: 'authorization_server_invalid' },
    },
    {
      title: 'SS-09: the issuer',
      quirks: ({ origin }) => ({ resource: { authorization_servers: [`${origin}\u0000`] } }),
      fails: { connect: 'authorization_server_invalid' },
    },
    {
      title: 'SS-09: the scopes, of which those without it count',
      quirks: () => ({ resource: { scopes_supported: ['a\u0000', 'b', 'c\ud800', 'd'.repeat(2000)] } }),
      check: (after) => expect(lastAuthorization(after).scope).to.equal('b'),
    },
    {
      title: 'SS-09: the ways of client authentication, of which those without it count',
      quirks: () => ({
        metadata: { token_endpoint_auth_methods_supported: ['none', 'x\u0000', 'y\ud800', 'z'.repeat(2000)] },
      }),
    },
    {
      title: 'SS-09: the endpoint for tokens',
      quirks: ({ origin }) => ({ metadata: { token_endpoint: `${origin}/token\u0000` } }),
      fails: { connect: 'authorization_server_invalid' },
    },
    {
      title: 'SS-09: the endpoint for revocations, which is then not used',
      quirks: ({ origin }) => ({ metadata: { revocation_endpoint: `${origin}/revoke\u0000` } }),
    },
    // @guards src/upstream/register-client.ts:answerSchema
    {
      title: 'SS-09: the registered client_id',
      quirks: () => ({ registration: { client_id: 'a\u0000b' } }),
      fails: { connect: 'client_registration_failed' },
    },
    {
      title: 'SS-09: the granted scopes, of which those without it count',
      quirks: () => ({ token: { scope: 'a\u0000 b' } }),
      check: ({ connector }) => expect(connector.scopes).to.deep.equal(['b']),
    },
  ],
  "the authorization server's metadata": [
    {
      title: 'is under the OpenID path only',
      quirks: (site) => ({
        answers: { [paths.oauthMetadata]: null, [paths.openidMetadata]: respondJson(document(site)) },
      }),
    },
    {
      title: 'has a page for people in its first place',
      quirks: (site) => ({
        answers: { [paths.oauthMetadata]: respondHtml('hi'), [paths.openidMetadata]: respondJson(document(site)) },
      }),
    },
    {
      title: 'is sent as text/plain with a byte order mark',
      quirks: (site) => ({
        answers: {
          [paths.oauthMetadata]: respond(200, `\ufeff${JSON.stringify(document(site))}`, {
            'content-type': 'text/plain',
          }),
        },
      }),
    },
    {
      title: 'has null for what it has not',
      quirks: () => ({ metadata: { revocation_endpoint: null, scopes_supported: null, jwks_uri: null } }),
    },
    {
      title: 'and the resource spell the issuer with a slash',
      quirks: ({ origin }) => ({
        resource: { authorization_servers: [`${origin}/`] },
        metadata: { issuer: `${origin}/` },
      }),
    },
    {
      title: 'spells the issuer with a slash where nobody named one',
      quirks: ({ origin }) => ({
        challenge: null,
        answers: { [paths.resourceByPath]: null },
        metadata: { issuer: `${origin}/` },
      }),
    },
    // @guards src/upstream/authorization-server-metadata.ts:judgeMetadata
    {
      title: 'MX-01: spells the issuer with a slash, the resource without',
      quirks: ({ origin }) => ({ metadata: { issuer: `${origin}/` } }),
      fails: { connect: 'authorization_server_invalid' },
    },
    {
      title: 'MX-01: spells the issuer without a slash, the resource with one',
      quirks: ({ origin }) => ({ resource: { authorization_servers: [`${origin}/`] } }),
      fails: { connect: 'authorization_server_invalid' },
    },
    {
      title: 'PK-01: does not list S256',
      quirks: () => ({ metadata: { code_challenge_methods_supported: ['plain'] } }),
      fails: { connect: 'pkce_unsupported' },
    },
    // @guards src/upstream/discover.ts:describe
    {
      title: 'PK-01: lists no challenge methods',
      quirks: () => ({ metadata: { code_challenge_methods_supported: undefined } }),
      fails: { connect: 'pkce_unsupported' },
    },
    {
      title: 'has an authorization endpoint with a query of its own',
      quirks: ({ origin }) => ({ metadata: { authorization_endpoint: `${origin}/authorize?audience=mcp&x=` } }),
      check: (after) => expect(lastAuthorization(after)).to.include({ audience: 'mcp', response_type: 'code' }),
    },
    {
      title: 'has no registration endpoint',
      quirks: () => ({ metadata: { registration_endpoint: undefined } }),
      fails: { connect: 'client_id_required' },
    },
  ],
  'the registration': [
    {
      title: 'has null for what it has not',
      quirks: () => ({
        registration: { client_secret: null, client_secret_expires_at: null, client_uri: null, logo_uri: null },
      }),
      check: (after) => expect(lastToken(after)).to.not.have.any.keys('client_secret', 'authorization'),
    },
    { title: 'has empty text for what it has not', quirks: () => ({ registration: { client_secret: '', scope: '' } }) },
    {
      title: 'brings a secret that nobody asked for, which is not used',
      quirks: () => ({ registration: { client_secret: 'unasked', client_secret_expires_at: 0 } }),
      check: (after) => {
        expect(lastToken(after)).to.include({ client_id: 'registered' })
        expect(lastToken(after)).to.not.have.any.keys('client_secret', 'authorization')
      },
    },
    {
      title: 'brings a secret and says how to send it',
      quirks: () => ({
        metadata: { token_endpoint_auth_methods_supported: ['none', 'client_secret_post'] },
        registration: { client_secret: 'posted', token_endpoint_auth_method: 'client_secret_post' },
      }),
      check: (after) => expect(lastToken(after)).to.include({ client_secret: 'posted' }),
    },
    {
      title: 'brings a secret for Basic, with characters that must be escaped (RFC 6749 section 2.3.1)',
      quirks: () => ({
        metadata: { token_endpoint_auth_methods_supported: ['client_secret_basic'] },
        registration: { client_id: 'a:b', client_secret: 'c d+%', client_secret_expires_at: '0' },
      }),
      check: (after) => {
        const sent = Buffer.from((lastToken(after).authorization ?? '').replace('Basic ', ''), 'base64').toString()
        expect(sent).to.equal('a%3Ab:c+d%2B%25')
      },
    },
    {
      title: 'is answered with 200',
      quirks: () => ({ answers: { '/register': respondJson({ client_id: 'registered' }) } }),
    },
    {
      title: 'is refused',
      quirks: () => ({ answers: { '/register': respondJson({ error: 'invalid_redirect_uri' }, 400) } }),
      fails: { connect: 'client_registration_failed' },
    },
    {
      title: 'is a page for people',
      quirks: () => ({ answers: { '/register': respondHtml('<h1>Hello</h1>') } }),
      fails: { connect: 'client_registration_failed' },
    },
  ],
  'the callback': [
    {
      title: 'brings a code that must be escaped, which arrives as it was',
      check: (after) => expect(lastToken(after).code).to.equal(code),
    },
    { title: 'brings the right iss unannounced', quirks: ({ origin }) => ({ callback: { iss: origin } }) },
    {
      title: 'brings parameters that nobody knows',
      quirks: () => ({ callback: { session_state: 'x', scope: 'a b', authuser: '0' } }),
    },
    {
      title: 'MX-02: brings the iss of another',
      quirks: () => ({ callback: { iss: 'https://other.example' } }),
      fails: { callback: 'authorization_server_invalid' },
      check: ({ upstream }) => expect(upstream.tokenRequests).to.deep.equal([]),
    },
  ],
  'the token response': [
    { title: 'has token_type in lower case', quirks: () => ({ token: { token_type: 'bearer' } }) },
    { title: 'has token_type in upper case', quirks: () => ({ token: { token_type: 'BEARER' } }) },
    { title: 'has no token_type', quirks: () => ({ token: { token_type: undefined } }) },
    {
      title: 'has a token_type that is not ours to use',
      quirks: () => ({ token: { token_type: 'DPoP' } }),
      fails: { callback: 'upstream_protocol_error' },
    },
    {
      title: 'has expires_in as text',
      quirks: () => ({ token: { expires_in: '7200' } }),
      check: (after) => expect(secondsLeft(after)).to.be.within(7100, 7200),
    },
    { title: 'has no expires_in', quirks: () => ({ token: { expires_in: undefined } }) },
    { title: 'has expires_in null', quirks: () => ({ token: { expires_in: null } }) },
    { title: 'has expires_in that is no number', quirks: () => ({ token: { expires_in: 'never' } }) },
    {
      title: 'has a refresh token that is empty',
      quirks: () => ({ token: { refresh_token: '' } }),
      check: ({ connector }) => expect(connector.next_refresh_at).to.equal(null),
    },
    {
      title: 'has scope as a list',
      quirks: () => ({ token: { scope: ['a', 'b'] } }),
      check: ({ connector }) => expect(connector.scopes).to.deep.equal(['a', 'b']),
    },
    {
      title: 'has scope with commas',
      quirks: () => ({ token: { scope: 'a,b' } }),
      check: ({ connector }) => expect(connector.scopes).to.deep.equal(['a', 'b']),
    },
    { title: 'has an ID token that nobody asked for', quirks: () => ({ token: { id_token: 'not.a.jwt' } }) },
    { title: 'has an empty error beside the token', quirks: () => ({ token: { error: '' } }) },
    {
      title: 'is an error with status 200',
      quirks: () => refusal({ error: 'bad_verification_code', error_description: 'The code is incorrect.' }, 200),
      fails: { callback: 'authorization_failed' },
    },
    {
      title: 'is an error of another kind',
      quirks: () => refusal({ error: { message: 'no' } }, 400),
      fails: { callback: 'upstream_protocol_error' },
    },
    {
      title: 'is a form',
      quirks: () => ({
        answers: {
          '/token': respond(200, 'access_token=x&token_type=bearer', {
            'content-type': 'application/x-www-form-urlencoded',
          }),
        },
      }),
      fails: { callback: 'upstream_protocol_error' },
    },
    {
      title: 'SS-07: is a redirect, which is not followed',
      quirks: ({ origin }) => ({ answers: { '/token': respond(307, '', { location: `${origin}/elsewhere` }) } }),
      fails: { callback: 'upstream_protocol_error' },
      check: ({ upstream }) => expect(upstream.received.map(({ target }) => target)).to.not.include('/elsewhere'),
    },
  ],
}

describe('connect to authorization servers as they are', () => {
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  for (const [part, quirks] of Object.entries(table)) {
    describe(`when ${part}`, () => {
      for (const quirk of quirks) {
        it(titleOf(quirk), async () => {
          const upstream = await startQuirkyOauth(quirk.quirks)
          try {
            await walk(quirk, upstream)
          } finally {
            await upstream.close()
          }
        })
      }
    })
  }

  async function walk({ fails, check }: Quirk, upstream: QuirkyOauth): Promise<void> {
    const id = await createConnector(patchbay, upstream.url)
    const read = async () => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body
    const answer = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
    if (fails !== undefined && 'connect' in fails) {
      expect(answer.body).to.include({ code: fails.connect })
      check?.({ upstream, connector: await read() })
      return
    }
    expect(answer.body, answer.text).to.include({ state: 'auth_required' })
    const page = await followLink(answer.body.auth_request.authorization_endpoint)
    const connector = await read()
    if (fails === undefined) {
      expect(connector, page.text).to.include({ state: 'connected' })
    } else {
      expect(connector.state, page.text).to.not.equal('connected')
      expect(page.text).to.include(`Code ${fails.callback}`)
    }
    check?.({ upstream, connector })
  }
})

/** A row of the checklist stands in front. */
function titleOf({ title, fails }: Quirk): string {
  if (fails === undefined) return `${title}: connected`
  return 'connect' in fails ? `${title}: refused with ${fails.connect}` : `${title}: fails with ${fails.callback}`
}
