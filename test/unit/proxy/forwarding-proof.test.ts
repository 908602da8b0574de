import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { createForwardingProofs } from '../../../src/proxy/forwarding-proof.ts'
import { createTestClock } from '../../support/test-clock.ts'

describe('createForwardingProofs', () => {
  const key = randomBytes(32)
  const older = randomBytes(32)
  const clock = createTestClock()
  const keys = { active: key, all: [key, older] }
  const proofs = createForwardingProofs({ keys, clock })
  const subject = { method: 'POST', path: '/connectors/x/mcp', authorization: 'Bearer a', sessionId: 's' }

  it('takes its own proof of the same request', () => {
    expect(proofs.isProven(proofs.prove(subject), subject)).to.equal(true)
  })

  // @guards src/proxy/forwarding-proof.ts:isProven
  it('PX-13: takes none of another request', () => {
    const proof = proofs.prove(subject)
    for (const change of [{ method: 'GET' }, { path: '/' }, { authorization: 'Bearer b' }, { sessionId: null }]) {
      expect(proofs.isProven(proof, { ...subject, ...change }), JSON.stringify(change)).to.equal(false)
    }
  })

  it('takes one that was made with a key that is being replaced, and none of a foreign key', () => {
    const madeWith = (active: Buffer) =>
      createForwardingProofs({ keys: { active, all: [active] }, clock }).prove(subject)
    expect(proofs.isProven(madeWith(older), subject)).to.equal(true)
    expect(proofs.isProven(madeWith(randomBytes(32)), subject)).to.equal(false)
  })

  it('takes none that is older than a minute, or of the future', () => {
    const proof = proofs.prove(subject)
    clock.advance(60_000)
    expect(proofs.isProven(proof, subject)).to.equal(true)
    clock.advance(1000)
    expect(proofs.isProven(proof, subject)).to.equal(false)
    const ofTheFuture = proofs.prove(subject)
    clock.advance(-61_000)
    expect(proofs.isProven(ofTheFuture, subject)).to.equal(false)
  })

  it('takes nothing that is not a proof', () => {
    for (const text of ['', '.', 'x.y', proofs.prove(subject).slice(0, -1)]) {
      expect(proofs.isProven(text, subject), text).to.equal(false)
    }
  })
})
