// `npm run bench:proxy`: what the MCP endpoint costs, as ratios to a bare relay, measured in turn in one run. See
// docs/performance.md. Builds nothing: `npm run build` first. Linux only, for pinning and for the processes' CPU time.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureLoad, median, memoryOf, pin } from './measure.ts'
import { openStreams } from './open-streams.ts'
import { print } from './print.ts'
import { measureSharing } from './sharing.ts'
import { startTargets, type Target } from './targets.ts'

const rounds = Number(process.env.ROUNDS ?? 5)
const seconds = Number(process.env.SECONDS ?? 4)
/**
 * V8 is not done with compiling before some fifty thousand calls in each process; for a second sort of call it has less to do. In
 * turns, as it is measured: connections that end and come again are compiled for as well.
 */
const warmUp = { seconds: 5, first: 6, second: 2 }
const connections = 64
const call = (kind: 'json' | 'stream') =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: kind, arguments: { text: 'x'.repeat(200) } },
  })

if (spawnSync('taskset', ['--version']).status !== 0) throw new Error('taskset is missing (Debian: util-linux)')
// this process reads what the targets print, and the database is its child
pin(process.pid, '1')
const folder = mkdtempSync(join(tmpdir(), 'patchbay-bench-'))
const { targets, close } = await startTargets(folder)
const named = (...names: string[]) => targets.filter(({ name }) => names.includes(name))
try {
  const json = await compare('JSON answers', targets, call('json'), warmUp.first)
  const sse = await compare(
    'event-stream answers',
    targets.filter(({ name }) => name !== 'SDK relay' && !name.endsWith('2 processes')),
    call('stream'),
    warmUp.second,
  )
  const p99 = await latencies(named('bare relay', 'Patchbay, API keys', 'Patchbay, JWTs'))
  const kilobytes = await streams(named('bare relay', 'Patchbay, API keys'))
  const shared = await measureSharing(
    [named('bare relay', 'bare relay, 2 processes'), named('Patchbay, API keys', 'Patchbay, 2 processes')],
    { body: call('json'), connections, seconds, rounds },
  )
  printGoals([
    ['bare relay of nginx (else the run is void)', json.rate('bare relay', 'nginx'), '>=', 0.22],
    ...['API keys', 'JWTs'].flatMap((by): Goal[] => [
      [`JSON answers of the bare relay, ${by}`, json.rate(`Patchbay, ${by}`, 'bare relay'), '>=', 0.9],
      [`event-stream answers of the bare relay, ${by}`, sse.rate(`Patchbay, ${by}`, 'bare relay'), '>=', 0.85],
      [`CPU per JSON answer of the bare relay, ${by}`, json.cost(`Patchbay, ${by}`, 'bare relay'), '<=', 1.2],
      [`p99 at 300/s over the bare relay, ms, ${by}`, p99(`Patchbay, ${by}`) - p99('bare relay'), '<=', 2],
    ]),
    ['times the SDK relay', json.rate('Patchbay, API keys', 'SDK relay'), '>=', 20],
    ['KB for each open stream', kilobytes('Patchbay, API keys'), '<=', 25],
    ['CPU of two processes of that of one', shared('Patchbay, 2 processes'), '<=', 1.1],
    [
      'two processes of two bare relays, all on one core',
      json.rate('Patchbay, 2 processes', 'bare relay, 2 processes'),
      '>=',
      0.9,
    ],
  ])
} finally {
  await close()
  rmSync(folder, { recursive: true, force: true })
}

/** As fast as each goes, in turn, so that a busy machine is busy for all. Ratios are those of one round. */
async function compare(title: string, among: readonly Target[], body: string, warmUpRounds: number) {
  const results = new Map(among.map(({ name }) => [name, { rates: [] as number[], costs: [] as number[] }]))
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (const target of among) {
      const result = await measureLoad(target, body, {
        connections,
        seconds: round < 0 ? warmUp.seconds : seconds,
        perSecond: 0,
      })
      if (round < 0) continue
      results.get(target.name)?.rates.push(result.perSecond)
      results.get(target.name)?.costs.push(result.cpuMicroseconds)
    }
  }
  const ratio = (what: 'rates' | 'costs') => (name: string, other: string) => {
    const [values, others] = [results.get(name)?.[what] ?? [], results.get(other)?.[what] ?? []]
    return median(values.map((value, round) => value / (others[round] ?? Number.NaN)))
  }
  const [rate, cost] = [ratio('rates'), ratio('costs')]
  const rows = [...results].map(([name, { rates, costs }]) => [
    name,
    median(rates).toFixed(0),
    rate(name, 'bare relay').toFixed(3),
    median(costs).toFixed(1),
    cost(name, 'bare relay').toFixed(3),
  ])
  print(title, ['', 'req/s', 'of bare', 'CPU us/req', 'of bare'], rows)
  return { rate, cost }
}

/** @returns the p99 of each, in milliseconds */
async function latencies(among: readonly Target[]): Promise<(name: string) => number> {
  const results = new Map(among.map(({ name }) => [name, { p50: [] as number[], p99: [] as number[] }]))
  for (let round = 0; round < rounds; round += 1) {
    for (const target of among) {
      const { p50, p99 } = await measureLoad(target, call('json'), { connections, seconds, perSecond: 300 })
      results.get(target.name)?.p50.push(p50)
      results.get(target.name)?.p99.push(p99)
    }
  }
  const rows = [...results].map(([name, { p50, p99 }]) => [name, median(p50).toFixed(2), median(p99).toFixed(2)])
  print('300 requests per second', ['', 'p50 ms', 'p99 ms'], rows)
  return (name) => median(results.get(name)?.p99 ?? [])
}

/** @returns what an open stream costs, in KB */
async function streams(among: readonly Target[]): Promise<(name: string) => number> {
  const count = 1000
  const results = new Map<string, number>()
  for (const target of among) {
    const before = memoryOf(target.pid)
    const opened = await openStreams(target, count)
    results.set(target.name, (memoryOf(target.pid) - before) / count)
    opened.close()
  }
  const rows = [...results].map(([name, kilobytes]) => [name, String(count), kilobytes.toFixed(1)])
  print('open event streams', ['', 'streams', 'KB each'], rows)
  return (name) => results.get(name) ?? Number.NaN
}

type Goal = readonly [what: string, measured: number, sense: '>=' | '<=', goal: number]

function printGoals(goals: readonly Goal[]): void {
  const rows = goals.map(([what, measured, sense, goal]) => {
    const isReached = sense === '>=' ? measured >= goal : measured <= goal
    return [
      what,
      measured.toFixed(3),
      `${sense} ${goal}`,
      Number.isNaN(measured) ? '-' : isReached ? 'reached' : 'MISSED',
    ]
  })
  print('goals', ['', 'measured', 'goal', ''], rows)
}
