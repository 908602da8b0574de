import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import type { Principal } from '../../../src/kernel/principal.ts'
import { createSessionBinding, featuresOf } from '../../../src/proxy/session-binding.ts'

const principal = (id: string, tenantId = 'tenant'): Principal => ({
  id,
  tenantId,
  kind: 'user',
  subject: id,
  role: 'member',
  scopes: new Set(),
  label: '',
})
const owner = (id: string, connectionId = 'connection') => ({ principal: principal(id), connectionId })

describe('createSessionBinding', () => {
  const key = randomBytes(32)
  const sessions = createSessionBinding({ active: key, all: [key] })
  const bind = (upstreamId: string): string => sessions.bind(owner('alice'), upstreamId, 'e') ?? ''

  it('gives back the upstream’s id to whom it was bound', () => {
    expect(sessions.open(owner('alice'), bind('abc'))).to.equal('abc')
    expect(sessions.open(owner('alice'), bind('abc')), 'from memory').to.equal('abc')
  })

  it('PX-13: opens for no other principal, tenant or connection, remembered or not', () => {
    const bound = bind('abc')
    for (const _ of ['not remembered', 'remembered']) {
      expect(sessions.open(owner('bob'), bound)).to.equal(null)
      expect(sessions.open(owner('alice', 'other'), bound)).to.equal(null)
      const fresh = createSessionBinding({ active: key, all: [key] })
      expect(fresh.open({ principal: principal('alice', 'elsewhere'), connectionId: 'connection' }, bound)).to.equal(
        null,
      )
      sessions.open(owner('alice'), bound)
    }
  })

  it('PX-13: opens nothing that was altered', () => {
    const bound = bind('abc')
    const altered = [
      bound.replace('abc', 'abd'),
      bound.replace('~e.', '~-.'),
      bound.slice(0, -1),
      `${bound}A`,
      `${bound.slice(0, -1)}${bound.endsWith('A') ? 'B' : 'A'}`,
      'abc',
      '',
      '~e.',
      'x'.repeat(10_000),
    ]
    for (const id of altered) expect(sessions.open(owner('alice'), id), id).to.equal(null)
  })

  it('works in another process that has the same key, and with a key that was replaced', () => {
    const next = randomBytes(32)
    const bound = bind('abc')
    expect(createSessionBinding({ active: key, all: [key] }).open(owner('alice'), bound)).to.equal('abc')
    expect(createSessionBinding({ active: next, all: [next, key] }).open(owner('alice'), bound)).to.equal('abc')
    expect(createSessionBinding({ active: next, all: [next] }).open(owner('alice'), bound)).to.equal(null)
  })

  it('takes ids that look like ours, of 2048 characters, and none that are not visible ASCII', () => {
    for (const id of ['a~b.c', bind('abc'), 'x'.repeat(2048), '!"#$%&()*+,-./:;<=>?@[]^_`{|}~']) {
      expect(sessions.open(owner('alice'), bind(id)), id).to.equal(id)
    }
    for (const id of ['', 'a b', 'a\tb', 'ü', 'x'.repeat(2049)]) {
      expect(sessions.bind(owner('alice'), id, '-'), id).to.equal(null)
    }
  })

  it('forgets the oldest ids in favour of new ones, and still knows them by their proof', () => {
    const first = bind('first')
    sessions.open(owner('alice'), first)
    for (let index = 0; index < 10_050; index += 1) sessions.open(owner('alice'), bind(`id-${index}`))
    expect(sessions.open(owner('alice'), first)).to.equal('first')
  })
})

describe('featuresOf', () => {
  it('reads what the client said of itself, and nothing from a foreign id', () => {
    const key = randomBytes(32)
    const bound = createSessionBinding({ active: key, all: [key] }).bind(owner('alice'), 'a~x.b', 'e')
    expect(featuresOf(bound)).to.equal('e')
    expect(featuresOf('abc')).to.equal('-')
    expect(featuresOf(null)).to.equal('-')
  })
})
