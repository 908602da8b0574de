import { expect } from 'chai'
import { type Beating, createHeartbeat, type Heartbeat } from '../../../src/proxy/heartbeat.ts'
import { defaultProxyLimits } from '../../../src/proxy/limits.ts'
import { until } from '../../support/until.ts'

describe('createHeartbeat', () => {
  let heartbeat: Heartbeat<Beating>
  afterEach(() => heartbeat.stop())

  function counting(onBeat: (self: Beating) => void = () => {}) {
    const self = { slot: -1, beats: 0, beat: () => {} }
    self.beat = () => {
      self.beats += 1
      onBeat(self)
    }
    return self
  }

  it('counts the limits in beats, a third of the keep-alive interval each', () => {
    heartbeat = createHeartbeat(defaultProxyLimits)
    expect(heartbeat.beats).to.deep.equal({ answer: 60, keepAlive: 3, stall: 12, idle: 360, life: 720 })
  })

  it('tells everyone of each beat, also while some take themselves off the list', async () => {
    heartbeat = createHeartbeat({ ...defaultProxyLimits, keepAliveMs: 9 })
    const leaving = [0, 1, 2].map(() => counting((self) => heartbeat.remove(self)))
    const staying = [0, 1, 2].map(() => counting())
    for (const index of [0, 1, 2]) for (const list of [leaving, staying]) heartbeat.add(list[index] ?? counting())
    await until('three beats', () => staying.every(({ beats }) => beats >= 3))
    expect(leaving.map(({ beats }) => beats)).to.deep.equal([1, 1, 1])
    const counts = staying.map(({ beats }) => beats)
    expect(Math.max(...counts) - Math.min(...counts), 'nobody is left out').to.be.at.most(1)
  })

  it('does not mind who is removed twice, or was never there', () => {
    heartbeat = createHeartbeat(defaultProxyLimits)
    const [first, second, stranger] = [counting(), counting(), counting()]
    heartbeat.add(first)
    heartbeat.add(second)
    heartbeat.remove(first)
    heartbeat.remove(first)
    heartbeat.remove(stranger)
    const visited: Beating[] = []
    heartbeat.visit((beating) => visited.push(beating))
    expect(visited).to.deep.equal([second])
  })
})
