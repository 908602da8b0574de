// `npm run test:chaos`: many connections with short tokens, while workers are killed and both stores restarted. Prints what it
// counted, and exits with 1 when something is not as it must be.
//   -- --minutes 5 --connections 2000 --issuers 20 --only forgiving|strict|control
import { randomBytes } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../src/config/package-root.ts'
import { queueMigration } from '../../src/queue/migrate-queue.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { type PatchbayProcess, startPatchbayProcess } from '../support/patchbay-processes.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { silentLog } from '../support/silent-log.ts'
import { type AuthorizationServers, startAuthorizationServers } from './authorization-servers.ts'
import { fillTable } from './fill-table.ts'
import { type Figures, judge, type Life, unexplained } from './judge.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    connections: { type: 'string', default: '2000' },
    issuers: { type: 'string', default: '20' },
    only: { type: 'string' },
  },
})
const scale = {
  ms: Number(values.minutes) * 60_000,
  connections: Number(values.connections),
  issuers: Number(values.issuers),
}
const killEveryMs = 10_000
const tokenSeconds = 20
const graceMs = 30_000
const settleMs = 60_000
/** How late a refresh may be and still be on time: two sweeps and the jitter of a busy machine. */
const onTimeMs = 15_000

type Kind = 'forgiving' | 'strict' | 'control'

type Stores = {
  readonly databaseUrl: string
  readonly redisUrl: string | null
  restart(which: 'postgres' | 'redis'): Promise<void>
  close(): Promise<void>
}

async function openStores(folder: string): Promise<Stores> {
  const openPostgres = () => startEmbeddedPostgres({ dataDir: folder, durable: false, log: silentLog })
  const program = (process.env.PATH ?? '')
    .split(delimiter)
    .map((part) => join(part, 'redis-server'))
    .find(isExecutable)
  let postgres: EmbeddedPostgres = await openPostgres()
  const redis: RedisServer | null = program === undefined ? null : await startRedis(program)
  if (redis === null) console.log('  no redis-server here: the queue is in PostgreSQL, and only that is restarted')
  await migrate(postgres.url, {
    folder: join(packageRoot(), 'prisma', 'migrations'),
    steps: [queueMigration],
    log: silentLog,
  })
  return {
    databaseUrl: postgres.url,
    redisUrl: redis?.url ?? null,
    async restart(which) {
      if (which === 'postgres') {
        await postgres.stop()
        postgres = await openPostgres()
      } else {
        await redis?.stop()
        await redis?.start()
      }
    },
    async close() {
      await redis?.close()
      await postgres.stop()
    },
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Two workers at any time, of which one is killed every ten seconds and followed by another. */
function createWorkers(env: Readonly<Record<string, string>>, servers: AuthorizationServers) {
  const all: { readonly address: string; readonly child: PatchbayProcess }[] = []
  let count = 9
  const start = async (): Promise<void> => {
    count += 1
    const address = `127.0.0.${count}`
    await servers.listenOn(address)
    const child = await startPatchbayProcess({ env }, { role: 'worker', env: { CALLS_FROM: address } })
    all.push({ address, child })
  }
  return {
    start,
    async killOne(): Promise<void> {
      const oldest = all.find(({ child }) => child.endedAt() === null)
      await oldest?.child.end('SIGKILL')
      await start()
    },
    endAll: () => Promise.all(all.map(({ child }) => child.end('SIGKILL'))),
    lives: (): Life[] => all.map(({ address, child }) => ({ address, endedAt: child.endedAt() })),
    get killed() {
      return all.filter(({ child }) => child.endedAt() !== null).length
    },
  }
}

type Report = {
  readonly figures: Figures
  readonly killed: number
  readonly restarts: number
  readonly disconnects: Readonly<Record<string, number>>
  readonly unexplained: number
  readonly overdue: number
}

async function run(kind: Kind): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'pb-chaos-'))
  const stores = await openStores(folder)
  const servers = await startAuthorizationServers({
    graceMs: kind === 'strict' ? 0 : graceMs,
    tokenSeconds,
    latencyMs: 30,
  })
  const encryptionKeys = `chaos:${randomBytes(32).toString('base64')}`
  const env = {
    DATABASE_URL: stores.databaseUrl,
    ENCRYPTION_KEYS: encryptionKeys,
    DATA_DIR: join(folder, 'data'),
    SWEEP_INTERVAL: '1',
    LOG_LEVEL: 'silent',
    ...(stores.redisUrl === null ? {} : { REDIS_URL: stores.redisUrl }),
    ...(kind === 'control' ? { COORDINATION: 'off' } : {}),
  }
  const workers = createWorkers(env, servers)
  let restarts = 0
  try {
    await fillTable({
      databaseUrl: stores.databaseUrl,
      encryptionKeys,
      ...scale,
      tokenEndpointOf: (issuer) => `http://localhost:${servers.port}/as/${issuer}/token`,
      newFamily: servers.newFamily,
    })
    await Promise.all([workers.start(), workers.start()])
    const endAt = Date.now() + scale.ms
    const troubles = (['redis', 'postgres', 'redis', 'postgres'] as const).map((which, index) => ({
      which,
      at: endAt - scale.ms * (0.8 - index * 0.2),
    }))
    while (Date.now() < endAt) {
      await delay(Math.min(killEveryMs, Math.max(endAt - Date.now(), 0)))
      while (troubles[0] !== undefined && troubles[0].at <= Date.now()) {
        const next = troubles.shift()
        if (next === undefined || (next.which === 'redis' && stores.redisUrl === null)) continue
        await stores.restart(next.which)
        restarts += 1
      }
      await workers.killOne()
    }
    const overdue = await untilOnTime(stores.databaseUrl)
    const { disconnects, ids } = await readDisconnects(stores.databaseUrl)
    const lives = workers.lives()
    return {
      figures: judge(servers.presentations, lives),
      killed: workers.killed,
      restarts,
      disconnects,
      unexplained: unexplained(ids, servers.presentations, lives).length,
      overdue,
    }
  } finally {
    await workers.endAll()
    await servers.close()
    await stores.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Waits, for a minute at most, until nothing is overdue. @returns how many still are */
async function untilOnTime(databaseUrl: string): Promise<number> {
  const deadline = Date.now() + settleMs
  for (;;) {
    const overdue = await withConnection(databaseUrl, async (client) => {
      const { rows } = await client.query(
        `SELECT count(*)::int AS count FROM connections WHERE state = 'connected'
          AND (next_refresh_at IS NULL OR next_refresh_at < now() - $1 * interval '1 millisecond')`,
        [onTimeMs],
      )
      return rows[0].count as number
    })
    if (overdue === 0 || Date.now() > deadline) return overdue
    await delay(500)
  }
}

async function readDisconnects(databaseUrl: string) {
  return withConnection(databaseUrl, async (client) => {
    const { rows } = await client.query(`SELECT id, disconnect_code FROM connections WHERE state <> 'connected'`)
    const disconnects: Record<string, number> = {}
    for (const { disconnect_code: code } of rows) disconnects[code] = (disconnects[code] ?? 0) + 1
    return { disconnects, ids: rows.map(({ id }) => String(id)) }
  })
}

/** What is wrong with a run; nothing when all is well. */
function faultsOf(kind: Kind, { figures, disconnects, unexplained, overdue }: Report): string[] {
  if (kind === 'control') return figures.doubles > 0 ? [] : ['no token was redeemed twice, though nobody held a lease']
  const others = Object.keys(disconnects).filter((code) => kind === 'forgiving' || code !== 'refresh_result_lost')
  return [
    ...(others.length > 0 ? [`disconnected: ${others.join(', ')}`] : []),
    ...(unexplained > 0 ? [`${unexplained} disconnects that no killed process accounts for`] : []),
    ...(figures.doubles > 0 ? [`${figures.doubles} tokens redeemed by two live processes`] : []),
    ...(overdue > 0 ? [`${overdue} connections overdue a minute after the last trouble`] : []),
  ]
}

console.log(
  `${scale.connections} connections, ${scale.issuers} issuers, ${tokenSeconds} s tokens, ${values.minutes} min`,
)
for (const kind of ['forgiving', 'strict', 'control'] as const) {
  if (values.only !== undefined && values.only !== kind) continue
  console.log(`${kind}:`)
  const report = await run(kind)
  const { figures, killed, restarts, disconnects } = report
  console.log(`  ${killed} workers killed, ${restarts} restarts of PostgreSQL and Redis`)
  console.log(`  ${figures.redemptions} redemptions, ${figures.replays} replayed by the server`)
  console.log(
    `  presented again: ${figures.retriesByTheSame} by the same process, ${figures.retriesAfterDeath} after its death`,
  )
  console.log(`  presented by two live processes: ${figures.doubles}`)
  console.log(
    `  disconnects: ${JSON.stringify(disconnects)}, unexplained: ${report.unexplained}; overdue at the end: ${report.overdue}`,
  )
  for (const fault of faultsOf(kind, report)) {
    console.log(`  FAILED: ${fault}`)
    process.exitCode = 1
  }
}
