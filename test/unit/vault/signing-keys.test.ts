import { expect } from 'chai'
import { addMs } from '../../../src/kernel/clock.ts'
import { keyPurposes, phasesAt, type StoredKey } from '../../../src/vault/signing-keys.ts'

const epoch = new Date('2026-01-01T00:00:00Z')
const key = (kid: string, signsFromMs: number): StoredKey => ({
  kid,
  sealedPrivateKey: 'x',
  publicKey: { kty: 'RSA' },
  signsFrom: addMs(epoch, signsFromMs),
})

describe('phasesAt', () => {
  const keys = [key('a', 0), key('b', 100), key('c', 200)]
  const at = (ms: number, of = keys) =>
    phasesAt(of, addMs(epoch, ms), { keptMs: 50 }).map(({ key: { kid }, phase }) => `${kid} ${phase}`)

  it('has one key that signs, those to come, and those whose work is still to be checked', () => {
    expect(at(99)).to.deep.equal(['a signing', 'b next', 'c next'])
    expect(at(100)).to.deep.equal(['a former', 'b signing', 'c next'])
    expect(at(149)).to.deep.equal(['a former', 'b signing', 'c next'])
    expect(at(150)).to.deep.equal(['a over', 'b signing', 'c next'])
    expect(at(200)).to.deep.equal(['a over', 'b former', 'c signing'])
  })

  it('signs with the first where the clock is behind that of who made it', () => {
    expect(at(-1)).to.deep.equal(['a signing', 'b next', 'c next'])
  })

  it('has nothing to say where there are no keys', () => {
    expect(at(0, [])).to.deep.equal([])
  })
})

describe('keyPurposes', () => {
  it('publishes keys for longer than anybody keeps them, and for longer than what they signed is good', () => {
    // `Cache-Control` of /.well-known/jwks.json and of /oauth/client-jwks.json; the longest ACCESS_TOKEN_TTL
    const [jwksMs, clientJwksMs, longestTokenMs] = [300_000, 3_600_000, 86_400_000]
    expect(keyPurposes.tokens.leadMs).to.be.above(jwksMs)
    expect(keyPurposes.client.leadMs).to.be.above(clientJwksMs)
    expect(keyPurposes.tokens.keptMs).to.be.above(longestTokenMs)
  })
})
