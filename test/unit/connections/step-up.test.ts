import { expect } from 'chai'
import type { Connection } from '../../../src/connections/connection.ts'
import { isStepUpKnown, stepUp, unionOfScopes } from '../../../src/connections/step-up.ts'

const now = new Date(0)
const challenge = (scope: string) => ({ error: 'insufficient_scope', scope })
const connection = (facts: Partial<Connection> = {}) =>
  ({
    state: 'connected',
    authType: 'oauth2',
    sealedAccessToken: 'sealed',
    grantEpoch: 7,
    stepUps: null,
    challenge: null,
    ...facts,
  }) as Connection

describe('stepUp', () => {
  it('asks twice for one set of scopes, in whatever order they stand, and gives up at the third refusal', () => {
    const first = stepUp(connection(), challenge('b a'), now)
    expect(first.isHopeless).to.equal(false)
    expect(first.changes.stepUps).to.deep.equal({ 'a b': 1 })
    const second = stepUp(connection({ stepUps: { 'a b': 1 } }), challenge('a  b'), now)
    expect(second.isHopeless).to.equal(false)
    const third = stepUp(connection({ stepUps: { 'a b': 2 } }), challenge('a b'), now)
    expect(third.isHopeless).to.equal(true)
  })

  it('counts each set for itself: another operation has its own attempts', () => {
    const { isHopeless, changes } = stepUp(connection({ stepUps: { a: 3 } }), challenge('b'), now)
    expect({ isHopeless, stepUps: changes.stepUps }).to.deep.equal({ isHopeless: false, stepUps: { a: 3, b: 1 } })
  })

  it('does not follow a server that wants ever new scopes for ever', () => {
    const stepUps = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`scope${index}`, 1]))
    const { isHopeless, changes } = stepUp(connection({ stepUps }), challenge('scope50'), now)
    expect(isHopeless).to.equal(true)
    expect(Object.keys(changes.stepUps ?? {})).to.have.length(50)
  })

  it('is not confused by scopes that are named like members of every object', () => {
    for (const scope of ['__proto__', 'constructor', 'toString']) {
      const { isHopeless, changes } = stepUp(connection(), challenge(scope), now)
      expect(isHopeless, scope).to.equal(false)
      expect(Object.entries(changes.stepUps ?? {}), scope).to.deep.equal([[scope, 1]])
    }
  })

  it('keeps a grant that is of use, and ends a connection without one', () => {
    const stepUps = { a: 2 }
    expect(stepUp(connection({ stepUps }), challenge('a'), now).changes).to.include({ state: 'connected' })
    const ended = stepUp(connection({ stepUps, sealedAccessToken: null }), challenge('a'), now).changes
    expect(ended).to.include({ state: 'disconnected', disconnectCode: 'insufficient_scope', grantEpoch: 8 })
  })
})

describe('isStepUpKnown', () => {
  it('knows what waits for a person, and what nobody is asked for any more', () => {
    const waiting = connection({ state: 'auth_required', challenge: challenge('a b') })
    expect(isStepUpKnown(waiting, challenge('b'))).to.equal(true)
    expect(isStepUpKnown(waiting, challenge('c'))).to.equal(false)
    expect(isStepUpKnown(connection({ stepUps: { a: 3 } }), challenge('a'))).to.equal(true)
    expect(isStepUpKnown(connection({ stepUps: { a: 2 } }), challenge('a'))).to.equal(false)
  })

  it('does not take a 401 that waits for a step-up', () => {
    const waiting = connection({ state: 'auth_required', challenge: { scope: 'a', error: 'invalid_token' } })
    expect(isStepUpKnown(waiting, challenge('a'))).to.equal(false)
  })
})

describe('unionOfScopes', () => {
  it('keeps the order, names each once, and ends at a hundred', () => {
    expect(unionOfScopes(['a', 'b'], ['b', 'c'])).to.deep.equal(['a', 'b', 'c'])
    const many = Array.from({ length: 150 }, (_, index) => String(index))
    expect(unionOfScopes(many, ['x'])).to.have.length(100)
  })
})
