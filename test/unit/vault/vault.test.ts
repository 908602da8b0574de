import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Secret } from '../../../src/kernel/secret.ts'
import { parseKeyring } from '../../../src/vault/keyring.ts'
import { createVault, type SealedPlace } from '../../../src/vault/vault.ts'

const key = (kid: string) => `${kid}:${randomBytes(32).toString('base64')}`
const place: SealedPlace = { table: 'connections', column: 'access_token', rowId: 'row-1', tenantId: 'tenant-1' }

describe('createVault', () => {
  const old = key('old')
  const vault = createVault(parseKeyring(old))
  const sealed = vault.seal(new Secret('plaintext ✓'), place)

  it('CR-01: seals as v1.<kid>.<iv>.<ciphertext>.<tag>, with a 96-bit IV and a 128-bit tag', () => {
    const parts = sealed.split('.')
    expect(parts.slice(0, 2)).to.deep.equal(['v1', 'old'])
    expect(parts.slice(2).map((part) => Buffer.from(part, 'base64url').length)).to.deep.equal([12, 13, 16])
    expect(sealed).to.not.include('plaintext')
  })

  it('CR-01: never seals the same value alike', () => {
    const many = Array.from({ length: 100 }, () => vault.seal(new Secret('same'), place))
    expect(new Set(many.map((text) => text.split('.')[2])).size).to.equal(100)
  })

  it('opens what it sealed, in its place (control)', () => {
    expect(vault.open(sealed, place).reveal()).to.equal('plaintext ✓')
  })

  // @guards src/vault/vault.ts:associated
  for (const member of ['table', 'column', 'rowId', 'tenantId'] as const) {
    it(`CR-01: does not open in a place with another ${member}`, () => {
      expect(() => vault.open(sealed, { ...place, [member]: 'another' })).to.throw('does not open')
    })
  }

  it('CR-01: tells places apart whose parts would join to the same text', () => {
    const shifted = vault.seal(new Secret('x'), { ...place, table: 'a","b', column: 'c' })
    expect(() => vault.open(shifted, { ...place, table: 'a', column: 'b","c' })).to.throw('does not open')
  })

  for (const [at, part] of ['iv', 'ciphertext', 'tag'].entries()) {
    it(`CR-01: does not open with another ${part}`, () => {
      const parts = sealed.split('.')
      const bytes = Buffer.from(parts[at + 2] ?? '', 'base64url')
      bytes[0] = (bytes[0] ?? 0) ^ 1
      parts[at + 2] = bytes.toString('base64url')
      expect(() => vault.open(parts.join('.'), place)).to.throw('does not open')
    })
  }

  it('CR-01: does not open with a shortened tag', () => {
    const parts = sealed.split('.')
    parts[4] = Buffer.from(parts[4] ?? '', 'base64url')
      .subarray(0, 4)
      .toString('base64url')
    expect(() => vault.open(parts.join('.'), place)).to.throw('does not open')
  })

  for (const text of ['', 'plaintext', 'v2.old.a.b.c', 'v1.old.a.b', 'v1.old.a.b.c.d']) {
    it(`CR-01: takes "${text}" for nothing that was sealed`, () => {
      expect(() => vault.open(text, place)).to.throw('unknown format')
    })
  }

  it('CR-01: seals with the first key of the ring, and opens with the one that is named', () => {
    const rotated = createVault(parseKeyring(`${key('new')},${old}`))
    expect(rotated.open(sealed, place).reveal()).to.equal('plaintext ✓')
    expect(rotated.seal(new Secret('x'), place)).to.match(/^v1\.new\./)
  })

  it('CR-01: opens nothing with a key of the same name that is another one', () => {
    expect(() => createVault(parseKeyring(key('old'))).open(sealed, place)).to.throw('does not open')
  })

  it('names the key that is missing', () => {
    expect(() => createVault(parseKeyring(key('new'))).open(sealed, place)).to.throw('"old"')
  })
})
