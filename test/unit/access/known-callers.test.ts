import { expect } from 'chai'
import type { Caller } from '../../../src/access/caller.ts'
import { createKnownCallers } from '../../../src/access/known-callers.ts'
import { createVerifyCaller } from '../../../src/access/verify-caller.ts'
import { AppError } from '../../../src/kernel/app-error.ts'
import type { ChangeSubscriber } from '../../../src/kernel/changes.ts'
import { addMs } from '../../../src/kernel/clock.ts'
import { randomToken, Secret } from '../../../src/kernel/secret.ts'
import { createTestClock } from '../../support/test-clock.ts'

const key = `pbk_${randomToken()}`

describe('createKnownCallers', () => {
  const clock = createTestClock()
  const line: { isLive: boolean; subscriber?: ChangeSubscriber } = { isLive: true }
  const changes = {
    subscribe: (subscriber: ChangeSubscriber) => {
      line.subscriber = subscriber
      return () => {}
    },
    isLive: () => line.isLive,
    close: async () => {},
  }
  let asked: number
  let answer: Caller | null

  const create = () =>
    createKnownCallers({
      clock,
      changes,
      verify: async () => {
        asked += 1
        if (answer === null) throw new AppError('unauthenticated', 'no')
        return answer
      },
    })
  const callerOf = (expiresAt: Date | null): Caller => ({
    principal: {
      id: 'principal',
      tenantId: 'tenant',
      kind: 'user',
      subject: 'a',
      role: 'member',
      scopes: new Set(),
      label: 'a',
    },
    credentialId: 'key',
    expiresAt,
  })
  beforeEach(() => {
    line.isLive = true
    asked = 0
    answer = callerOf(null)
  })
  const refusal = (call: unknown) =>
    Promise.resolve(call)
      .then(() => 'passed')
      .catch((error: AppError) => error.code)

  it('asks once for a credential, and again when its key or principal has changed', async () => {
    const verify = create()
    await verify(key, 'connector')
    await verify(key, 'connector')
    expect(asked).to.equal(1)
    for (const [change, times] of [
      [{ kind: 'api_key', ids: ['other'] }, 1],
      [{ kind: 'connector', ids: ['key'] }, 1],
      [{ kind: 'api_key', ids: ['key'] }, 2],
      [{ kind: 'host_grant', ids: ['key'] }, 3],
      [{ kind: 'principal', ids: ['principal'] }, 4],
    ] as const) {
      line.subscriber?.onChange(change)
      await verify(key, 'connector')
      expect(asked).to.equal(times)
    }
    line.subscriber?.onChange({ kind: 'api_key', ids: ['key'] })
    answer = null
    expect(await refusal(verify(key, 'connector'))).to.equal('unauthenticated')
  })

  it('TK-05: asks every time while changes are not heard, and trusts nothing from before', async () => {
    const verify = create()
    await verify(key, 'connector')
    line.isLive = false
    line.subscriber?.onLost()
    await verify(key, 'connector')
    await verify(key, 'connector')
    expect(asked).to.equal(3)
    line.isLive = true
    line.subscriber?.onLive()
    await verify(key, 'connector')
    await verify(key, 'connector')
    expect(asked).to.equal(4)
  })

  it('lets no credential outlive itself', async () => {
    answer = callerOf(addMs(clock.now(), 1000))
    const verify = create()
    expect(await refusal(verify(key, 'connector'))).to.equal('passed')
    clock.advance(1001)
    answer = null
    expect(await refusal(verify(key, 'connector'))).to.equal('unauthenticated')
  })
})

describe('createVerifyCaller', () => {
  // @guards src/access/verify-caller.ts:createVerifyCaller
  it('TK-08: asks the database for nothing that cannot be a key', async () => {
    const admin = 'an operator may choose anything.at.all'
    const asked: string[] = []
    const verify = createVerifyCaller({
      access: {
        findKeyHolder: async (hash: string) => {
          asked.push(hash)
          return null
        },
      },
      clock: createTestClock(),
      adminApiKey: new Secret(admin),
      verifyToken: null,
    })
    const shapes = [
      '',
      'x',
      'pbk_',
      `pbk_${'a'.repeat(42)}`,
      `pbk_${'a'.repeat(44)}`,
      `${key}\n`,
      'a.b.c',
      'é'.repeat(43),
    ]
    for (const credential of shapes) {
      const code = await verify(credential).catch((error: AppError) => error.code)
      expect(code, credential).to.equal('unauthenticated')
    }
    expect(asked).to.have.length(0)
    for (const credential of [key, admin]) await verify(credential).catch(() => {})
    expect(asked, 'negative control').to.have.length(2)
  })
})
