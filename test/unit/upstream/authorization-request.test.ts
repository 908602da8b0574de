import { expect } from 'chai'
import { AppError } from '../../../src/kernel/app-error.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { buildAuthorizationUrl } from '../../../src/upstream/authorization-request.ts'
import { type AuthorizationServer, authorizationServerSchema } from '../../../src/upstream/authorization-server.ts'

const server: AuthorizationServer = {
  issuer: 'https://as.example',
  authorizationEndpoint: 'https://as.example/authorize?tenant=7',
  tokenEndpoint: 'https://as.example/token',
  tokenEndpointAuthMethods: [],
  isIssParameterSupported: true,
  isClientIdMetadataDocumentSupported: false,
  isPkceVerified: true,
  isLegacyFallback: false,
  resource: 'https://mcp.example',
  scopes: ['a', 'b'],
  scopesSource: 'challenge',
}
const request = {
  server,
  clientId: 'us',
  redirectUri: 'https://pb.example/callback',
  state: 'st',
  // RFC 7636 appendix B
  codeVerifier: new Secret('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'),
}

describe('buildAuthorizationUrl', () => {
  it('carries everything that OAuth 2.1 and RFC 8707 ask for, beside the query of the endpoint', () => {
    expect(Object.fromEntries(buildAuthorizationUrl(request).searchParams)).to.deep.equal({
      tenant: '7',
      response_type: 'code',
      client_id: 'us',
      redirect_uri: 'https://pb.example/callback',
      state: 'st',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      scope: 'a b',
      // C12: exactly as the server gave it, without an added slash
      resource: 'https://mcp.example',
    })
  })

  it('names no scope and no resource where there is none', () => {
    const url = buildAuthorizationUrl({ ...request, server: { ...server, scopes: [], resource: null } })
    expect([...url.searchParams.keys()]).not.to.include.members(['scope'])
    expect([...url.searchParams.keys()]).not.to.include.members(['resource'])
    const omitted = buildAuthorizationUrl({ ...request, quirks: { omitResource: true, authorizeParameters: {} } })
    expect(omitted.searchParams.has('resource')).to.equal(false)
  })

  it('asks for consent when it asks for offline access', () => {
    const url = buildAuthorizationUrl({ ...request, server: { ...server, scopes: ['a', 'offline_access'] } })
    expect(url.searchParams.get('prompt')).to.equal('consent')
  })

  it('lets neither the endpoint nor a preset take the place of a parameter of the protocol', () => {
    const url = buildAuthorizationUrl({
      ...request,
      server: {
        ...server,
        authorizationEndpoint: 'https://as.example/a?state=evil&state=evil&code_challenge_method=plain',
      },
      quirks: { omitResource: false, authorizeParameters: { redirect_uri: 'https://evil.example', audience: 'x' } },
    })
    expect(url.searchParams.getAll('state')).to.deep.equal(['st'])
    expect(url.searchParams.get('code_challenge_method')).to.equal('S256')
    expect(url.searchParams.get('redirect_uri')).to.equal('https://pb.example/callback')
    expect(url.searchParams.get('audience')).to.equal('x')
  })

  it('C23: sends nobody to another scheme, whatever was stored', () => {
    for (const authorizationEndpoint of ['javascript:alert(1)', 'file:///x', 'https://u@as.example/', 'x']) {
      expect(() => buildAuthorizationUrl({ ...request, server: { ...server, authorizationEndpoint } }))
        .to.throw(AppError)
        .with.property('code', 'authorization_server_invalid')
    }
  })
})

describe('authorizationServerSchema', () => {
  it('reads back what was stored as JSON', () => {
    expect(authorizationServerSchema.parse(JSON.parse(JSON.stringify(server)))).to.deep.equal(server)
    expect(authorizationServerSchema.safeParse({ ...server, issuer: 7 }).success).to.equal(false)
  })
})
