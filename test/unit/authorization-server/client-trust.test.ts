import { expect } from 'chai'
import { createClientTrust } from '../../../src/authorization-server/client-trust.ts'

describe('createClientTrust', () => {
  const claude = 'https://claude.ai/api/mcp/auth_callback'

  it('RG-14: trusts all while nothing is said', () => {
    const trusts = createClientTrust({ allow: undefined, deny: [] })
    expect(trusts([claude, 'http://localhost:3000/cb', 'com.example.app:/cb'])).to.equal(true)
  })

  // @guards src/authorization-server/client-trust.ts:createClientTrust
  it('RG-14: with a list, trusts what is on it, every address of a client', () => {
    const trusts = createClientTrust({ allow: ['Claude.ai', '*.example.com', 'cursor:', 'localhost'], deny: [] })
    expect(trusts([claude])).to.equal(true)
    expect(trusts(['https://a.example.com/cb', 'cursor://anysphere.cursor-mcp/oauth/callback'])).to.equal(true)
    expect(trusts(['http://localhost:49152/callback'])).to.equal(true)
    expect(trusts([claude, 'https://evil.example/cb'])).to.equal(false)
    for (const address of [
      'https://example.com/cb',
      'https://evilexample.com/cb',
      'https://claude.ai.evil.example/cb',
      'https://evil.example/claude.ai',
      'https://claude.ai@evil.example/cb',
      'http://127.0.0.1/callback',
      'claude:/cb',
      'com.example.app:/cb',
      'not an address',
    ])
      expect(trusts([address]), address).to.equal(false)
  })

  // @guards src/authorization-server/client-trust.ts:matchesEntry
  it('RG-14: denies what is denied, in any spelling, also where it is allowed', () => {
    const trusts = createClientTrust({
      allow: ['*.example.com', 'claude.ai'],
      deny: ['bad.example.com', '*.bad.example.com'],
    })
    expect(trusts(['https://good.example.com/cb'])).to.equal(true)
    for (const address of [
      'https://bad.example.com/cb',
      'https://BAD.example.com:8443/cb',
      'https://bad.example.com./cb',
      'https://bad.ex%61mple.com/cb',
      'https://x.bad.example.com/cb',
    ])
      expect(trusts([address]), address).to.equal(false)
  })
})
