import { expect } from 'chai'
import { parseChallenge, parseScopes } from '../../../src/upstream/challenge.ts'

describe('parseChallenge', () => {
  const metadata = 'https://mcp.example/.well-known/oauth-protected-resource'
  const challenges: readonly (readonly [string, ReturnType<typeof parseChallenge>])[] = [
    ['Bearer', {}],
    ['bearer realm="x"', {}],
    [`Bearer resource_metadata="${metadata}"`, { resourceMetadata: metadata }],
    [`BEARER Resource_Metadata = "${metadata}" , SCOPE="a b"`, { resourceMetadata: metadata, scope: 'a b' }],
    [`Bearer error="insufficient_scope" scope="a b"`, { error: 'insufficient_scope', scope: 'a b' }],
    ['Bearer error=invalid_token, scope=a', { error: 'invalid_token', scope: 'a' }],
    ['Bearer scope="a \\"quoted\\" \\\\ b"', { scope: 'a "quoted" \\ b' }],
    ['Bearer scope="first", scope="second"', { scope: 'first' }],
    ['Basic realm="a, Bearer scope=x", Bearer scope="y"', { scope: 'y' }],
    ['Negotiate abc==, Bearer scope="y"', { scope: 'y' }],
    ['Bearer scope="y", Basic scope="z", error="not ours"', { scope: 'y' }],
    [`Bearer error="invalid_token", Bearer resource_metadata="${metadata}"`, { resourceMetadata: metadata }],
    ['Bearer scope="never ends', { scope: 'never ends' }],
    ['Bearer scope=""', { scope: '' }],
    ['Bearer constructor="x", __proto__="y", scope="z"', { scope: 'z' }],
    ['Basic realm="x"', null],
    ['', null],
    [' , ,= " "', null],
    ['DPoP algs="ES256"', null],
  ]
  for (const [header, expected] of challenges) {
    it(`reads ${JSON.stringify(header)}`, () => {
      expect(parseChallenge(header)).to.deep.equal(expected)
    })
  }

  it('passes over values that are too long', () => {
    expect(parseChallenge(`Bearer scope="${'a'.repeat(3000)}", error="e"`)).to.deep.equal({ error: 'e' })
  })

  // @guards src/upstream/challenge.ts:readValue
  it('SS-15: takes linear time on hostile headers of 64 KB and more', () => {
    const hostile = [
      'Bearer '.padEnd(65_536, '"'),
      'Bearer '.padEnd(65_536, ','),
      'Bearer '.padEnd(65_536, '\\'),
      'Bearer '.padEnd(65_536, ' '),
      'Bearer '.padEnd(65_536, '='),
      `Bearer ${'a="\\'.repeat(16_000)}`,
      'Bearer a="b", '.repeat(5000),
      `Bearer ${Array.from({ length: 10_000 }, (_, n) => `p${n}=v`).join(',')}`,
      'B'.repeat(65_536),
    ]
    const begun = performance.now()
    for (const header of hostile) parseChallenge(header)
    const last = parseChallenge(
      `${'Bearer a="b", '.repeat(5000)} Bearer scope="last", resource_metadata="https://a.example"`,
    )
    expect(last, 'it is read to its end').to.deep.equal({ scope: 'last', resourceMetadata: 'https://a.example' })
    // About 10 ms; one that looks back at each step would take more than a minute.
    expect(performance.now() - begun).to.be.below(1000)
  })
})

describe('parseScopes', () => {
  it('keeps scope tokens, each once, and nothing else', () => {
    expect(parseScopes('a b  a c:d/e.f ümlaut "q" back\\slash')).to.deep.equal(['a', 'b', 'c:d/e.f'])
    expect(parseScopes(Array.from({ length: 500 }, (_, n) => `s${n}`).join(' '))).to.have.length(100)
    expect(parseScopes('')).to.deep.equal([])
  })
})
