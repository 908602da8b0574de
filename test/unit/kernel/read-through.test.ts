import { expect } from 'chai'
import { createReadThrough, type ReadThrough } from '../../../src/kernel/read-through.ts'
import { createGate } from '../../support/gate.ts'
import { until } from '../../support/until.ts'

describe('createReadThrough', () => {
  let time: number
  let isOpen: boolean
  let reads: number
  let memory: ReadThrough<string>

  beforeEach(() => {
    time = 0
    isOpen = true
    reads = 0
    memory = createReadThrough({
      maxEntries: 3,
      maxAgeMs: 100,
      now: () => time,
      isOpen: () => isOpen,
      tagsOf: (value) => (value === 'not this' ? null : [value]),
    })
  })
  const get = (key: string, value = key) =>
    memory.get(key, async () => {
      reads += 1
      return value
    })

  it('reads once, until a value is too old', async () => {
    expect([await get('a'), await get('a')]).to.deep.equal(['a', 'a'])
    expect(reads).to.equal(1)
    time = 100
    await get('a')
    expect(reads).to.equal(2)
  })

  it('renews a value in use before it is too old, and keeps nobody waiting for that', async () => {
    await get('a', 'first')
    time = 70
    const gate = createGate()
    const slow = () =>
      memory.get('a', async () => {
        await gate.pass()
        return 'second'
      })
    expect([await slow(), await slow()]).to.deep.equal(['first', 'first'])
    gate.open()
    await until('it is renewed', async () => (await get('a', 'third')) === 'second')
    time = 169
    expect(await get('a', 'third')).to.equal('second')
    expect(reads, 'by the last call, by the way').to.equal(2)
  })

  it('drops a value whose renewal fails, and tells why to who comes next', async () => {
    await get('a')
    time = 70
    const fail = async () => memory.get('a', () => Promise.reject(new Error('revoked')))
    expect(await fail()).to.equal('a')
    await until('it is dropped', async () => (await fail().catch((error: Error) => error.message)) === 'revoked')
  })

  it('reads once for all who ask at the same time', async () => {
    await Promise.all(Array.from({ length: 50 }, () => get('a')))
    expect(reads).to.equal(1)
  })

  it('forgets by tag, and nothing else', async () => {
    await get('a')
    await get('b')
    memory.forget('a')
    await get('b')
    expect(reads).to.equal(2)
    await get('a')
    expect(reads).to.equal(3)
  })

  it('keeps no value that was being read when it changed, and gives it to nobody who asks after the change', async () => {
    const gate = createGate()
    const early = memory.get('a', async () => {
      await gate.pass()
      return 'old'
    })
    memory.forget('a')
    expect(await get('a', 'new')).to.equal('new')
    gate.open()
    expect(await early).to.equal('old')
    expect(await get('a', 'newer')).to.equal('new')
  })

  it('holds so many at most, the oldest goes', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await get(key)
    await get('b')
    expect(reads).to.equal(4)
    await get('a')
    expect(reads).to.equal(5)
  })

  it('keeps neither failures nor what is not to be kept', async () => {
    const failing = async () => memory.get('a', () => Promise.reject(new Error('no')))
    for (const attempt of [failing(), failing()]) expect((await attempt.catch((error) => error)).message).to.equal('no')
    await get('a', 'not this')
    await get('a', 'not this')
    expect(reads).to.equal(2)
  })

  it('reads every time while it is closed', async () => {
    await get('a')
    isOpen = false
    await get('a')
    await get('a')
    expect(reads).to.equal(3)
  })
})
