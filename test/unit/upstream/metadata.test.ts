import { expect } from 'chai'
import { authorizationServerMetadataUrls, judgeMetadata } from '../../../src/upstream/authorization-server-metadata.ts'
import { parseUpstreamUrl } from '../../../src/upstream/endpoint-url.ts'
import { parseJsonObject } from '../../../src/upstream/json-document.ts'
import {
  isResourceOf,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrls,
} from '../../../src/upstream/protected-resource-metadata.ts'

const hrefs = (urls: readonly URL[]): string[] => urls.map(({ href }) => href)

describe('protectedResourceMetadataUrls', () => {
  it('looks by path, then at the root (C2)', () => {
    expect(hrefs(protectedResourceMetadataUrls(new URL('https://a.example/x/mcp/?k=v')))).to.deep.equal([
      'https://a.example/.well-known/oauth-protected-resource/x/mcp?k=v',
      'https://a.example/.well-known/oauth-protected-resource',
    ])
    expect(hrefs(protectedResourceMetadataUrls(new URL('https://a.example/')))).to.deep.equal([
      'https://a.example/.well-known/oauth-protected-resource',
    ])
  })
})

describe('isResourceOf', () => {
  it('MX-06: accepts the same URL and what lies above it, on a path boundary', () => {
    for (const resource of [
      'https://a.example',
      'https://a.example/',
      'https://a.example/x',
      'https://a.example/x/mcp/',
    ]) {
      expect(isResourceOf(resource, new URL('https://a.example/x/mcp')), resource).to.equal(true)
    }
    expect(isResourceOf('https://A.example:443/x', new URL('https://a.example/x'))).to.equal(true)
    expect(isResourceOf('https://a.example/x?t=1', new URL('https://a.example/x?t=1'))).to.equal(true)
  })

  // @guards src/upstream/protected-resource-metadata.ts:isResourceOf
  it('MX-06: refuses everything else', () => {
    const others = [
      ...[
        'https://evil.example/x/mcp',
        'http://a.example/x/mcp',
        'https://a.example:8443/x/mcp',
        'https://a.example/x/m',
      ],
      ...['https://a.example/x/mcp/more', 'https://a.example/x/mcp?q', 'https://a.example/x/mcp#f', 'not a url'],
      ...['https://a.example/x/mcp\u0000', ' https://a.example/x/mcp', 'https://a.ex\tample/x/mcp'],
      ...['https://u@a.example/x/mcp', 'https://a.example.evil/x/mcp', '/x/mcp'],
    ]
    for (const resource of others) {
      expect(isResourceOf(resource, new URL('https://a.example/x/mcp')), resource).to.equal(false)
    }
  })
})

describe('parseProtectedResourceMetadata', () => {
  const resource = 'https://a.example/mcp'

  it('ignores what it does not know, and wrong optional members', () => {
    expect(parseProtectedResourceMetadata({ resource, x: 1, scopes_supported: 'a b' })).to.deep.equal({
      resource,
      authorizationServers: [],
      scopesSupported: [],
    })
  })

  it('SS-09: refuses wrong types, long lists and long strings', () => {
    const documents = [
      {},
      { resource: 1 },
      { resource: `https://a.example/${'a'.repeat(2100)}` },
      { resource, authorization_servers: 'https://as.example' },
      { resource, authorization_servers: [1] },
      { resource, authorization_servers: Array.from({ length: 11 }, () => 'https://as.example') },
    ]
    for (const document of documents) expect(parseProtectedResourceMetadata(document)).to.equal(null)
  })
})

describe('authorizationServerMetadataUrls', () => {
  it('knows three places with a path and two without (C3)', () => {
    expect(hrefs(authorizationServerMetadataUrls(new URL('https://as.example/t/1/')))).to.deep.equal([
      'https://as.example/.well-known/oauth-authorization-server/t/1',
      'https://as.example/.well-known/openid-configuration/t/1',
      'https://as.example/t/1/.well-known/openid-configuration',
    ])
    expect(hrefs(authorizationServerMetadataUrls(new URL('https://as.example')))).to.deep.equal([
      'https://as.example/.well-known/oauth-authorization-server',
      'https://as.example/.well-known/openid-configuration',
    ])
  })
})

describe('judgeMetadata', () => {
  const issuer = 'https://as.example'
  const url = new URL(`${issuer}/.well-known/oauth-authorization-server`)
  const good = { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` }
  const expected = { issuers: [issuer], grant: 'authorization_code' } as const
  const kindOf = (document: unknown, from = url): string => judgeMetadata(document, from, expected).kind

  it('accepts metadata with what is required', () => {
    expect(kindOf(good)).to.equal('accepted')
    expect(kindOf({ ...good, unknown: { deep: [] }, scopes_supported: 7 })).to.equal('accepted')
  })

  // @guards src/upstream/authorization-server-metadata.ts:judgeMetadata
  it('MX-01: accepts no issuer but the one asked, character by character', () => {
    const others = [
      ...[
        'https://as.example/',
        'https://AS.example',
        'https://as.example:443',
        'https://as.exampl%65',
        'https://evil.example',
      ],
      'http://as.example',
    ]
    for (const other of others) expect(kindOf({ ...good, issuer: other }), other).to.equal('issuer_mismatch')
  })

  // @guards src/upstream/endpoint-url.ts:isAcceptablePage
  it('SS-03: refuses authorization endpoints that a browser must not be sent to', () => {
    const endpoints = [
      ...[
        'javascript:alert(1)',
        'java\nscript:alert(1)',
        'file:///etc/passwd',
        'data:text/html,x',
        'http://internal/authorize',
      ],
      ...[
        'http://as.example/authorize',
        'https://u:p@as.example/a',
        'https://as.example/a#f',
        '//as.example/a',
        '/authorize',
      ],
      ...[
        'https://as.example/a\u0000',
        ' https://as.example/a',
        'https:as.example/a',
        'https://as.example\\@evil.example/',
      ],
    ]
    for (const authorization_endpoint of endpoints) {
      expect(kindOf({ ...good, authorization_endpoint }), authorization_endpoint).to.equal('invalid')
    }
  })

  // @guards src/upstream/endpoint-url.ts:isAcceptableEndpoint
  it('SS-02: refuses a token endpoint over http, and leaves out others', () => {
    expect(kindOf({ ...good, token_endpoint: 'http://as.example/token' })).to.equal('invalid')
    const verdict = judgeMetadata(
      { ...good, registration_endpoint: 'http://as.example/r', revocation_endpoint: 'gopher://as.example/' },
      url,
      expected,
    )
    expect(verdict).to.have.property('metadata').that.includes({
      registration_endpoint: undefined,
      revocation_endpoint: undefined,
    })
  })

  it('accepts http where the metadata itself came over http, and a page on that origin only', () => {
    const origin = 'http://127.0.0.1:9'
    const local = { issuer, authorization_endpoint: `${origin}/authorize`, token_endpoint: 'http://127.0.0.1:10/token' }
    const from = new URL(`${origin}/.well-known/oauth-authorization-server`)
    expect(kindOf(local, from)).to.equal('accepted')
    expect(kindOf({ ...local, authorization_endpoint: 'http://internal/authorize' }, from)).to.equal('invalid')
  })

  it('SS-09: refuses missing and mistyped members', () => {
    for (const member of Object.keys(good)) {
      for (const value of [undefined, 7, '', [], { a: 1 }, 'a'.repeat(3000)]) {
        expect(kindOf({ ...good, [member]: value }), `${member} ${typeof value}`).to.be.oneOf([
          'invalid',
          'issuer_mismatch',
        ])
      }
    }
    expect(kindOf({ ...good, response_types_supported: ['token'] })).to.equal('invalid')
  })

  it('needs no page for people where a client acts for itself, and uses none that must not be used', () => {
    const judge = (more: object) =>
      judgeMetadata({ ...good, ...more }, url, { issuers: [issuer], grant: 'client_credentials' })
    expect(judge({ authorization_endpoint: undefined, response_types_supported: [] }).kind).to.equal('accepted')
    const odd = judge({ authorization_endpoint: 'javascript:alert(1)' })
    expect(odd).to.have.property('metadata').that.includes({ authorization_endpoint: undefined })
    expect(judge({ token_endpoint: undefined }).kind).to.equal('invalid')
  })
})

describe('parseJsonObject', () => {
  it('reads objects, and takes null for absent', () => {
    expect(parseJsonObject('{"a":1,"b":null}')).to.deep.equal({ a: 1 })
  })

  // @guards src/upstream/json-document.ts:isTooDeep
  it('SS-09: refuses what is no object, or nested too deep', () => {
    const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    for (const text of [
      '',
      '[]',
      '1',
      'null',
      '"x"',
      '{',
      '<html>',
      deep(21),
      `{"a":${'['.repeat(60_000)}${']'.repeat(60_000)}}`,
    ]) {
      expect(parseJsonObject(text), text.slice(0, 20)).to.equal(null)
    }
    expect(parseJsonObject(deep(20))).not.to.equal(null)
  })

  it('SS-09: lets no member reach a prototype, and takes the last of two', () => {
    const parsed = parseJsonObject('{"__proto__":{"issuer":"evil"},"a":1,"a":2}')
    expect(parsed).to.have.property('a', 2)
    expect(
      judgeMetadata(parsed, new URL('https://a.example'), { issuers: ['evil'], grant: 'authorization_code' }).kind,
    ).to.equal('invalid')
    expect({}).not.to.have.property('issuer')
  })
})

describe('parseUpstreamUrl', () => {
  it('reads absolute http(s) URLs only', () => {
    expect(parseUpstreamUrl('https://a.example/x?y')?.href).to.equal('https://a.example/x?y')
    for (const raw of [
      '',
      'a',
      '//a.example',
      'https:///x',
      'ftp://a.example/',
      'https://a.example/#',
      'https://a.example/\t',
    ]) {
      expect(parseUpstreamUrl(raw), raw).to.equal(null)
    }
  })
})
