import { expect } from 'chai'
import { expiryOf, refreshTime, retryDelayMs } from '../../../src/connections/schedule.ts'
import { addMs } from '../../../src/kernel/clock.ts'

const requestedAt = new Date('2026-11-21T10:00:00Z')
const later = (seconds: number): Date => addMs(requestedAt, seconds * 1000)
/** Of [0, 1): both ends and some in between. */
const randoms = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999_999]

describe('expiryOf', () => {
  it('counts from the moment of the request', () => {
    expect(expiryOf(requestedAt, 3600)).to.deep.equal(later(3600))
  })

  it('is not known when the server does not say', () => {
    expect(expiryOf(requestedAt, undefined)).to.equal(null)
  })
})

describe('refreshTime', () => {
  const lives: readonly (readonly [seconds: number, marginSeconds: number])[] = [
    [86_400, 17_280], // a fifth
    [3600, 720],
    [300, 60], // at least a minute
    [119, 59.5], // at most half
    [4, 2],
    [1, 0.5],
  ]
  for (const [seconds, marginSeconds] of lives) {
    it(`is ${marginSeconds} s before the end of ${seconds} s, a quarter of that to either side`, () => {
      const at = (random: number) => (refreshTime(requestedAt, later(seconds), random).getTime() - +requestedAt) / 1000
      const spread = marginSeconds / 4
      expect(at(0.5)).to.be.closeTo(seconds - marginSeconds, 0.01)
      expect(at(0)).to.be.closeTo(seconds - marginSeconds - spread, 0.01)
      expect(at(0.999_999)).to.be.closeTo(seconds - marginSeconds + spread, 0.01)
    })
  }

  it('REL-13: lies after the request and before the end, whatever the life of the token', () => {
    for (let seconds = 1; seconds <= 30 * 86_400; seconds = Math.ceil(seconds * 1.3)) {
      for (const random of randoms) {
        const at = refreshTime(requestedAt, later(seconds), random)
        expect(+at, `${seconds} s`).to.be.greaterThan(+requestedAt).and.lessThan(+later(seconds))
      }
    }
  })

  it('REL-13: spreads tokens that were given at one moment', () => {
    const times = new Set(randoms.map((random) => +refreshTime(requestedAt, later(3600), random)))
    expect(times.size).to.equal(randoms.length)
  })

  // @guards src/connections/schedule.ts:refreshTime
  it('REL-13: spreads ten thousand tokens of one minute over a tenth of their life, none of them late', () => {
    const draws = Array.from({ length: 10_000 }, (_, index) => index / 10_000)
    const minutes = new Map<number, number>()
    for (const random of draws) {
      const minute = Math.floor((+refreshTime(requestedAt, later(3600), random) - +requestedAt) / 60_000)
      minutes.set(minute, (minutes.get(minute) ?? 0) + 1)
    }
    expect(minutes.size).to.equal(6)
    expect(Math.max(...minutes.values())).to.be.lessThan(1700)
    expect(Math.max(...minutes.keys())).to.be.lessThan(60)
  })

  // @guards src/connections/schedule.ts:refreshTime
  it('REL-31: is within a day, however long the access token lives, and spread there too', () => {
    const times = randoms.map((random) => +refreshTime(requestedAt, later(30 * 86_400), random))
    expect(Math.max(...times)).to.be.at.most(+later(86_400))
    expect(Math.min(...times)).to.be.at.least(+later(21 * 3600))
    expect(new Set(times).size).to.equal(randoms.length)
  })

  it('takes a token to live an hour when its server does not say', () => {
    expect(refreshTime(requestedAt, null, 0.5)).to.deep.equal(refreshTime(requestedAt, later(3600), 0.5))
  })

  it('is now for a token that came too late', () => {
    for (const random of randoms) expect(refreshTime(requestedAt, later(-5), random)).to.deep.equal(requestedAt)
  })
})

describe('retryDelayMs', () => {
  it('doubles from 2 s on', () => {
    expect([1, 2, 3, 4, 5].map((failures) => retryDelayMs(failures, 0.5))).to.deep.equal([
      2000, 4000, 8000, 16_000, 32_000,
    ])
  })

  it('is spread by half to either side', () => {
    expect([retryDelayMs(3, 0), retryDelayMs(3, 0.999_999)]).to.satisfy(
      ([least = 0, most = 0]: number[]) => least === 4000 && most > 11_999 && most < 12_000,
    )
  })

  it('is 15 minutes at most, and spread there too', () => {
    for (const failures of [10, 20, 21, 1000, Number.MAX_SAFE_INTEGER]) {
      const waits = randoms.map((random) => retryDelayMs(failures, random))
      expect(Math.max(...waits))
        .to.be.at.most(900_000)
        .and.greaterThan(890_000)
      expect(new Set(waits).size).to.equal(randoms.length)
    }
  })
})
