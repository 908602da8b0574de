import { expect } from 'chai'
import { addMs } from '../../../src/kernel/clock.ts'
import { newClientId } from '../../../src/sandbox/client-id.ts'
import { createTokenStore } from '../../../src/sandbox/token-store.ts'

describe('createTokenStore', () => {
  let now = new Date('2030-01-01T00:00:00Z')
  const clock = { now: () => now }
  const open = () => createTokenStore({ clock })
  const failureOf = (attempt: Promise<unknown>): Promise<unknown> =>
    attempt.then(
      () => undefined,
      (error: unknown) => error,
    )

  it('gives back copies of what was put in, by model and id', async () => {
    const tokens = open().adapter('RefreshToken')
    const payload = { scope: 'mcp' }
    await tokens.upsert('1', payload, 60)
    payload.scope = 'changed'
    expect(await tokens.find('1')).to.deep.equal({ scope: 'mcp' })
    expect(await tokens.find('2')).to.equal(undefined)
    expect(await open().adapter('RefreshToken').find('1')).to.equal(undefined)
  })

  it('forgets entries when their time is over', async () => {
    const tokens = open().adapter('RefreshToken')
    await tokens.upsert('1', {}, 60)
    now = addMs(now, 59_999)
    expect(await tokens.find('1')).to.deep.equal({})
    now = addMs(now, 1)
    expect(await tokens.find('1')).to.equal(undefined)
  })

  it('consumes once: the second of two simultaneous calls throws invalid_grant', async () => {
    const tokens = open().adapter('RefreshToken')
    await tokens.upsert('1', {}, 60)
    const outcomes = await Promise.all([failureOf(tokens.consume('1')), failureOf(tokens.consume('1'))])
    expect(outcomes[0]).to.equal(undefined)
    expect(outcomes[1]).to.have.property('error', 'invalid_grant')
    expect(await tokens.find('1'))
      .to.have.property('consumed')
      .that.is.a('number')
  })

  it('throws when what is consumed is not there', async () => {
    expect(await failureOf(open().adapter('AuthorizationCode').consume('1'))).to.have.property('error', 'invalid_grant')
  })

  it('revokes all tokens of one grant, and says when a grant is gone', async () => {
    const store = open()
    const [tokens, grants] = [store.adapter('RefreshToken'), store.adapter('Grant')]
    await grants.upsert('g1', {}, 60)
    await tokens.upsert('1', { grantId: 'g1' }, 60)
    await tokens.upsert('2', { grantId: 'g2' }, 60)
    expect(store.hasGrant('g1')).to.equal(true)
    await tokens.revokeByGrantId('g1')
    await grants.destroy('g1')
    expect(store.hasGrant('g1')).to.equal(false)
    expect(await tokens.find('1')).to.equal(undefined)
    expect(await tokens.find('2')).to.deep.equal({ grantId: 'g2' })
  })

  it('keeps no sign-in sessions', async () => {
    const sessions = open().adapter('Session')
    await sessions.upsert('1', { accountId: 'Alice' }, 60)
    expect(await sessions.find('1')).to.equal(undefined)
  })

  it('knows public clients it never saw by their identifier, and no others', async () => {
    const clients = open().adapter('Client')
    const registration = { client_name: 'X', redirect_uris: ['http://localhost:1/cb'] }
    const id = newClientId(registration)
    expect(await clients.find(id)).to.deep.equal({ client_id: id, token_endpoint_auth_method: 'none', ...registration })

    const confidential = newClientId({ ...registration, token_endpoint_auth_method: 'client_secret_basic' })
    expect(await clients.find(confidential)).to.equal(undefined)
    for (const forged of ['sandbox.x', 'sandbox.x.bm9uc2Vuc2U', `evil${id}`, 'sandbox.x.e30']) {
      expect(await clients.find(forged), forged).to.equal(undefined)
    }
    expect(await open().adapter('RefreshToken').find(id)).to.equal(undefined)
  })
})
