import { expect } from 'chai'
import type { CallFacts } from '../../../src/insight/call.ts'
import type { CallMethod } from '../../../src/insight/read-message.ts'
import { createCallTally, defaultTallyBounds } from '../../../src/insight/tally.ts'
import { latencyBoundsMs, latencyClass, percentile } from '../../../src/kernel/latency.ts'

let now = new Date('2026-05-01T10:59:59.999Z')
const clock = { now: () => now }

type Given = Partial<CallFacts> & { readonly tool?: string; readonly method?: CallMethod }
const call = ({ tool = 'search', method = 'tools/call', ...facts }: Given = {}): CallFacts => ({
  connectorId: 'connector',
  tenantId: 'tenant',
  principalId: 'alice',
  client: 'claude 1',
  message: { method, tool, client: null },
  isResolved: true,
  isForwarded: false,
  failure: null,
  ...facts,
})
const many = (count: number) => Array.from({ length: count }, (_, index) => index)

describe('createCallTally', () => {
  beforeEach(() => {
    now = new Date('2026-05-01T10:59:59.999Z')
  })

  it('counts what is alike together, and by the hour', () => {
    const tally = createCallTally(clock)
    tally.add(call(), 'ok', 3)
    tally.add(call(), 'ok', 700)
    tally.add(call({ principalId: 'bob' }), 'ok', 1)
    tally.add(call(), 'upstream', 1)
    now = new Date('2026-05-01T11:00:00.000Z')
    tally.add(call(), 'ok', 1)
    const { counts, methods } = tally.take()
    expect(
      counts.map(({ hourAt, principalId, outcome, calls }) => [+hourAt % 86_400_000, principalId, outcome, calls]),
    ).to.deep.equal([
      [36_000_000, 'alice', 'ok', 2],
      [36_000_000, 'bob', 'ok', 1],
      [36_000_000, 'alice', 'upstream', 1],
      [39_600_000, 'alice', 'ok', 1],
    ])
    expect(counts[0]).to.include({ totalMs: 703, tool: 'search', client: 'claude 1' })
    expect(counts[0]?.latency.filter((count) => count > 0)).to.deep.equal([1, 1])
    expect(methods).to.deep.equal([
      { method: 'tools/call', outcome: 'ok', calls: 4 },
      { method: 'tools/call', outcome: 'upstream', calls: 1 },
    ])
    expect(tally.take()).to.deep.equal({ counts: [], methods: [], dropped: 0 })
  })

  it('does not time what only listens', () => {
    const tally = createCallTally(clock)
    tally.add(call({ method: 'stream', tool: '' }), 'client_gone', 3_600_000)
    expect(tally.take().counts[0]).to.include({ calls: 1, totalMs: 0 })
  })

  it('counts callers whom nobody knows for the metrics only, and forwarded calls not at all', () => {
    const tally = createCallTally(clock)
    tally.add(call({ tenantId: null, principalId: null, method: 'unread' }), 'authorization', 1)
    tally.add(call({ tenantId: null, principalId: null, method: 'unread' }), 'ok', 1)
    tally.add(call({ isForwarded: true }), 'ok', 1)
    expect(tally.take()).to.deep.equal({
      counts: [],
      methods: [{ method: 'unread', outcome: 'authorization', calls: 1 }],
      dropped: 0,
    })
  })

  it('names a connector only where the tenant is known to have it', () => {
    const tally = createCallTally(clock)
    const limited = { isResolved: false, failure: 'rate_limited' } as const
    tally.add(call(limited), 'limit', 1)
    expect(tally.take().counts[0]).to.include({ connectorId: null, tool: '' })
    tally.add(call(), 'ok', 1)
    tally.add(call(limited), 'limit', 1)
    tally.add(call({ ...limited, tenantId: 'elsewhere', principalId: 'mallory' }), 'limit', 1)
    expect(tally.take().counts.map(({ connectorId }) => connectorId)).to.deep.equal(['connector', 'connector', null])
  })

  it('tells no more tools and clients apart than it may, in an hour and over many flushes', () => {
    const tally = createCallTally(clock, { ...defaultTallyBounds, maxTools: 3, maxClients: 2 })
    const tools = new Set<string>()
    const clients = new Set<string>()
    for (const index of many(500)) {
      tally.add(call({ tool: `made up ${index}` }), 'ok', 1)
      tally.add(call({ client: `made up ${index}` }), 'ok', 1)
      for (const { tool, client } of tally.take().counts) {
        tools.add(tool)
        clients.add(client)
      }
    }
    expect([...tools].sort()).to.deep.equal(['made up 0', 'made up 1', 'other', 'search'])
    expect([...clients].sort()).to.deep.equal(['claude 1', 'made up 0', 'other'])
    // another hour, other tools
    now = new Date('2026-05-01T12:00:00Z')
    tally.add(call({ tool: 'new' }), 'ok', 1)
    expect(tally.take().counts[0]).to.include({ tool: 'new' })
  })

  it('drops and counts what there is no room for, and loses nothing that it is given back', () => {
    const tally = createCallTally(clock, { ...defaultTallyBounds, maxWaiting: 2 })
    for (const index of many(5)) tally.add(call({ principalId: `p${index}` }), 'ok', 1)
    const first = tally.take()
    expect(first).to.include({ dropped: 3 })
    tally.add(call({ principalId: 'p1' }), 'ok', 1)
    tally.add(call({ principalId: 'p9' }), 'ok', 1)
    tally.giveBack(first.counts)
    const second = tally.take()
    expect(second.counts.map(({ principalId, calls, totalMs }) => [principalId, calls, totalMs])).to.deep.equal([
      ['p1', 2, 2],
      ['p9', 1, 1],
    ])
    expect(second.dropped).to.equal(1)
  })
})

describe('percentile', () => {
  it('is null of nothing, and within a class elsewhere', () => {
    const counts = latencyBoundsMs.map(() => 0).concat(0)
    expect(percentile(counts, 0.5)).to.equal(null)
    for (const ms of [1, 7, 7, 7, 7, 7, 7, 7, 7, 400]) {
      const index = latencyClass(ms)
      counts[index] = (counts[index] ?? 0) + 1
    }
    expect(percentile(counts, 0.5)).to.be.within(5, 10)
    expect(percentile(counts, 0.99)).to.be.within(250, 500)
    expect(percentile(counts, 1)).to.equal(500)
  })

  it('ends at the last bound', () => {
    const counts = latencyBoundsMs.map(() => 0).concat(4)
    expect(percentile(counts, 0.5)).to.equal(300_000)
  })
})
