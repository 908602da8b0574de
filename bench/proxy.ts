// `npm run bench:proxy`: what the MCP endpoint costs, as ratios to a bare relay, measured in turn in one run. See
// docs/performance.md. Builds nothing: `npm run build` first. Linux only, for pinning and for the processes' CPU time.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureLoad, median, memoryOf } from './measure.ts'
import { openStreams } from './open-streams.ts'
import { startTargets, type Target } from './targets.ts'

const rounds = Number(process.env.ROUNDS ?? 5)
const seconds = Number(process.env.SECONDS ?? 4)
const connections = 64
const call = (kind: 'json' | 'stream') =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: kind, arguments: { text: 'x'.repeat(200) } },
  })

if (spawnSync('taskset', ['--version']).status !== 0) throw new Error('taskset is missing (Debian: util-linux)')
const folder = mkdtempSync(join(tmpdir(), 'patchbay-bench-'))
const { targets, close } = await startTargets(folder)
try {
  await compare('JSON answers', targets, call('json'))
  await compare(
    'event-stream answers',
    targets.filter(({ name }) => name !== 'SDK relay'),
    call('stream'),
  )
  await latencies(targets.filter(({ name }) => name === 'bare relay' || name.startsWith('Patchbay')))
  await streams(targets.filter(({ name }) => name === 'bare relay' || name === 'Patchbay, API keys'))
} finally {
  await close()
  rmSync(folder, { recursive: true, force: true })
}

/** As fast as each goes, in turn, so that a busy machine is busy for all. */
async function compare(title: string, among: readonly Target[], body: string): Promise<void> {
  const results = new Map(among.map((target) => [target, { rates: [] as number[], costs: [] as number[] }]))
  for (let round = -1; round < rounds; round += 1) {
    for (const [target, { rates, costs }] of results) {
      const result = await measureLoad(target, body, { connections, seconds: round < 0 ? 2 : seconds, perSecond: 0 })
      if (round < 0) continue
      rates.push(result.perSecond)
      costs.push(result.cpuMicroseconds)
    }
  }
  const bare = [...results].find(([{ name }]) => name === 'bare relay')?.[1]
  if (bare === undefined) throw new Error('no bare relay to compare with')
  const rows = [...results].map(([{ name }, { rates, costs }]) => {
    const ratios = rates.map((rate, round) => rate / (bare.rates[round] ?? Number.NaN))
    const cpu = costs.map((cost, round) => cost / (bare.costs[round] ?? Number.NaN))
    return [
      name,
      median(rates).toFixed(0),
      median(ratios).toFixed(3),
      median(costs).toFixed(1),
      Number.isNaN(median(cpu)) ? '-' : median(cpu).toFixed(3),
    ]
  })
  print(title, ['', 'req/s', 'of bare', 'CPU us/req', 'of bare'], rows)
}

async function latencies(among: readonly Target[]): Promise<void> {
  const rows: string[][] = []
  for (const target of among) {
    const results: { p50: number; p99: number }[] = []
    for (let round = 0; round < rounds; round += 1) {
      results.push(await measureLoad(target, call('json'), { connections, seconds, perSecond: 300 }))
    }
    rows.push([
      target.name,
      median(results.map(({ p50 }) => p50)).toFixed(2),
      median(results.map(({ p99 }) => p99)).toFixed(2),
    ])
  }
  print('300 requests per second', ['', 'p50 ms', 'p99 ms'], rows)
}

async function streams(among: readonly Target[]): Promise<void> {
  const count = 1000
  const rows: string[][] = []
  for (const target of among) {
    const before = memoryOf(target.pid)
    const opened = await openStreams(target, count)
    rows.push([target.name, String(count), ((memoryOf(target.pid) - before) / count).toFixed(1)])
    opened.close()
  }
  print('open event streams', ['', 'streams', 'KB each'], rows)
}

function print(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  console.log(`\n${title}\n${[head, ...rows].map(line).join('\n')}`)
}
