// `npm run bench:refresh`: what our worker costs, against the least that refreshing can be. Ratios of one interleaved run, so
// that they hold on a busy machine; exit code 1 when one misses its goal. A clean clone needs nothing but `npm ci`.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { packageRoot } from '../src/config/package-root.ts'
import { Secret } from '../src/kernel/secret.ts'
import { queueMigration } from '../src/queue/migrate-queue.ts'
import { createPostgresDueStore } from '../src/storage/due-store.ts'
import { startEmbeddedPostgres } from '../src/storage/embedded-postgres.ts'
import { migrate } from '../src/storage/migrate.ts'
import { openPool } from '../src/storage/prisma-client.ts'
import { readKeyring } from '../src/vault/key-check.ts'
import { createVault } from '../src/vault/vault.ts'
import { countUnfinished, fillTable, makeDue } from './refresh/table.ts'
import type { RoundReport } from './refresh/token-endpoint.ts'

const size = { connections: Number(process.env.BENCH_CONNECTIONS ?? 100_000), issuers: 100 }
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const warmUp = 1000
const measured = 4000
const sweeps = 200

type Case = { readonly name: string; readonly delayMs: number; readonly concurrency: number; readonly goal: number }
const cases: readonly Case[] = [
  { name: 'instant endpoint', delayMs: 0, concurrency: 50, goal: 0.5 },
  { name: '150 ms endpoint', delayMs: 150, concurrency: 200, goal: 0.85 },
]
const contestants = ['bare loop', 'worker', 'job per connection'] as const
type Contestant = (typeof contestants)[number]

const silent = { info: () => {}, warn: () => {}, error: () => {} }
const folder = await mkdtemp(join(tmpdir(), 'patchbay-bench-'))
const encryptionKeys = `bench:${randomBytes(32).toString('base64')}`
const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silent })
const endpoint = fork(join(packageRoot(), 'bench/refresh/token-endpoint.ts'), [], { execArgv: ['--import', 'tsx'] })
let isMissed = false
/** The number of the connection that the next round begins with. */
let nextNumber = 0
try {
  const [{ port }] = await once(endpoint, 'message')
  const url = await newDatabase('bench')
  const pool = openPool({ url: new Secret(url), poolSize: 4 })
  console.log(`${size.connections} connections at ${size.issuers} issuers, ${rounds} interleaved rounds of ${measured}`)
  await fillTable(pool, { ...size, port, vault: createVault(readKeyring(new Secret(encryptionKeys), '')) })
  for (const each of cases) await compare(each, url, pool)
  await pool.end()
  await compareEmptySweeps()
} finally {
  endpoint.disconnect()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}
process.exitCode = isMissed ? 1 : 0

async function newDatabase(name: string): Promise<string> {
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  await migrate(url.href, { folder: join(packageRoot(), 'prisma', 'migrations'), steps: [queueMigration], log: silent })
  return url.href
}

async function compare(test: Case, url: string, pool: ReturnType<typeof openPool>): Promise<void> {
  const rates: Record<Contestant, number[]> = { 'bare loop': [], worker: [], 'job per connection': [] }
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants) {
      const rate = await measure(contestant, test, url, pool)
      rates[contestant].push(rate)
    }
  }
  const bare = median(rates['bare loop'])
  console.log(`\n${test.name}, ${test.concurrency} at once, refreshes/s (median of ${rounds}):`)
  for (const contestant of contestants) {
    const rate = median(rates[contestant])
    console.log(
      `  ${contestant.padEnd(20)} ${rate.toFixed(0).padStart(6)}   ${(rate / bare).toFixed(2)} of the bare loop`,
    )
  }
  judge(`worker / bare loop, ${test.name}`, median(rates.worker) / bare, test.goal, 'at least')
  judge(
    `worker / job per connection, ${test.name}`,
    median(rates.worker) / median(rates['job per connection']),
    1,
    'at least',
  )
}

/** Starts a contestant, warms it up, and counts what the endpoint sees of the measured part. @returns refreshes per second */
async function measure(
  contestant: Contestant,
  { delayMs, concurrency }: Case,
  url: string,
  pool: ReturnType<typeof openPool>,
): Promise<number> {
  const child = await start(contestant, url, concurrency)
  try {
    await run(child, contestant, warmUp, pool, delayMs)
    const { count, firstAt, lastAt } = await run(child, contestant, measured, pool, delayMs)
    // the plain way asks twice now and then, when a connection that was given back has two jobs; that is part of what it costs
    const isExact = contestant !== 'job per connection'
    if (isExact && count !== measured)
      throw new Error(`${contestant}: ${count} token requests for ${measured} refreshes`)
    return (measured / (lastAt - firstAt)) * 1000
  } finally {
    const ended = once(child, 'exit')
    child.kill(contestant === 'worker' ? 'SIGTERM' : 'SIGKILL')
    await ended
  }
}

async function start(contestant: Contestant, url: string, concurrency: number): Promise<ChildProcess> {
  const program = { 'bare loop': 'bench/refresh/bare-loop.ts', worker: 'workers/main.ts' } as const
  const path = contestant === 'job per connection' ? 'bench/refresh/job-per-connection.ts' : program[contestant]
  const child = fork(join(packageRoot(), path), [], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      ENCRYPTION_KEYS: encryptionKeys,
      DATA_DIR: join(folder, 'data'),
      CONCURRENCY: String(concurrency),
      REFRESH_CONCURRENCY: String(concurrency),
      WORKER_METRICS_PORT: '0',
      SWEEP_INTERVAL: '0.1',
    },
  })
  if (contestant !== 'worker') await once(child, 'message')
  else await new Promise<void>((resolve) => child.stdout?.on('data', (text) => /worker runs/.test(text) && resolve()))
  child.stdout?.resume()
  return child
}

async function run(
  child: ChildProcess,
  contestant: Contestant,
  count: number,
  pool: ReturnType<typeof openPool>,
  delayMs: number,
): Promise<RoundReport> {
  if (nextNumber + count > size.connections) nextNumber = 0
  endpoint.send({ delayMs })
  await makeDue(pool, nextNumber, count)
  nextNumber += count
  if (contestant !== 'worker') child.send('go')
  while ((await report()).count < count || (await countUnfinished(pool)) > 0) await delay(100)
  return report()
}

async function report(): Promise<RoundReport> {
  const answer = once(endpoint, 'message')
  endpoint.send('report')
  return (await answer)[0]
}

/** What a sweep costs that finds nothing, over a small table and a large one. */
async function compareEmptySweeps(): Promise<void> {
  const times: number[] = []
  for (const connections of [1000, 1_000_000]) {
    const url = await newDatabase(`bench_${connections}`)
    const pool = openPool({ url: new Secret(url), poolSize: 1 })
    await fillTable(pool, { connections, issuers: 100, port: 1, vault: null })
    const due = createPostgresDueStore(pool, 4)
    const taken: number[] = []
    for (let sweep = 0; sweep < sweeps; sweep += 1) {
      const startedAt = performance.now()
      await due.claim(new Date(), { perIssuer: 100, claimMs: 60_000 })
      taken.push(performance.now() - startedAt)
    }
    times.push(median(taken))
    console.log(`\nempty sweep over ${connections} connections: ${median(taken).toFixed(2)} ms (median of ${sweeps})`)
    await pool.end()
  }
  judge('empty sweep, 1,000,000 / 1,000 rows', (times[1] ?? 0) / (times[0] ?? 1), 3, 'at most')
}

function judge(what: string, ratio: number, goal: number, how: 'at least' | 'at most'): void {
  const isMet = how === 'at least' ? ratio >= goal : ratio <= goal
  isMissed ||= !isMet
  console.log(`  ${isMet ? '✓' : '✗'} ${what}: ${ratio.toFixed(2)} (${how} ${goal})`)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
