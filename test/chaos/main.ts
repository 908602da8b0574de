// `npm run test:chaos`: many connections with short tokens, while workers are killed and both stores restarted. Prints what it
// counted, and exits with 1 when something is not as it must be. With everything as it is: about 15 minutes.
//   -- --minutes 5 --connections 2000 --issuers 20 --only forgiving|strict|control
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startAuthorizationServers } from './authorization-servers.ts'
import { fillTable } from './fill-table.ts'
import { type Explanation, explain, type Figures, judge } from './judge.ts'
import { readDisconnects, watchPunctuality } from './look.ts'
import { openStores, type Store, type Stores } from './stores.ts'
import { createWorkers, type Workers } from './workers.ts'

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
/** The control shows in little time what it is for. */
const controlMs = Math.min(scale.ms, 60_000)
const killEveryMs = 10_000
const restartsInTurn: readonly Store[] = ['redis', 'postgres', 'redis', 'postgres']
const tokenSeconds = 20
const graceMs = 30_000
const peaceMs = 60_000

type Kind = 'forgiving' | 'strict' | 'control'

type Report = {
  readonly figures: Figures
  readonly explanation: Explanation
  readonly killed: number
  readonly restarts: Stores['restarts']
  readonly disconnects: Readonly<Record<string, number>>
  /** When something was last overdue or run out, after the last trouble, milliseconds; 0: never. */
  readonly lateMs: number
  /** Tokens that ran out before they were renewed are so many at once at most, meanwhile. */
  readonly mostLate: number
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
  const workers = createWorkers(
    {
      DATABASE_URL: stores.databaseUrl,
      ENCRYPTION_KEYS: encryptionKeys,
      DATA_DIR: join(folder, 'data'),
      SWEEP_INTERVAL: '1',
      LOG_LEVEL: 'silent',
      // so many grants are lost here that the guard against waves would keep them
      WAVES: 'any',
      ...(stores.redisUrl === null ? {} : { REDIS_URL: stores.redisUrl }),
      ...(kind === 'control' ? { COORDINATION: 'off' } : {}),
    },
    servers,
  )
  try {
    await fillTable({
      databaseUrl: stores.databaseUrl,
      encryptionKeys,
      ...scale,
      tokenEndpointOf: (issuer) => `http://localhost:${servers.port}/as/${issuer}/token`,
      newFamily: servers.newFamily,
    })
    await Promise.all([workers.start(), workers.start()])
    await makeTrouble(stores, workers, kind === 'control' ? controlMs : scale.ms)
    const { lateMs, mostLate } =
      kind === 'control'
        ? { lateMs: 0, mostLate: 0 }
        : await watchPunctuality(stores.databaseUrl, peaceMs, tokenSeconds)
    const { disconnects, ids } = await readDisconnects(stores.databaseUrl)
    const lives = workers.lives()
    return {
      figures: judge(servers.presentations, lives),
      explanation: explain(ids, servers.presentations, lives),
      killed: workers.killed,
      restarts: { ...stores.restarts },
      disconnects,
      lateMs,
      mostLate,
    }
  } finally {
    await workers.endAll()
    await servers.close()
    await stores.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Kills a worker every ten seconds, and restarts each store twice, at the very moment of a kill. The next worker is started
 * as soon as one is dead, so that two are there when one of them is killed; where the machine takes longer than ten seconds
 * to start one, the next kill waits for it.
 */
async function makeTrouble(stores: Stores, workers: Workers, ms: number): Promise<void> {
  const startedAt = performance.now()
  const at = (sinceMs: number) => delay(Math.max(0, startedAt + sinceMs - performance.now()))
  const kills = Math.floor(ms / killEveryMs)
  const killing = (async () => {
    let starting = workers.start()
    for (let kill = 1; kill <= kills; kill += 1) {
      await Promise.all([at(kill * killEveryMs), starting])
      await workers.killOne()
      starting = workers.start()
    }
    await starting
  })()
  const restarting = (async () => {
    for (const [index, which] of restartsInTurn.entries()) {
      await at(Math.round(((index + 1) / (restartsInTurn.length + 1)) * kills) * killEveryMs)
      await stores.restart(which)
    }
  })()
  await Promise.all([killing, restarting])
}

/** What is wrong with a run; nothing when all is well. */
function faultsOf(kind: Kind, { figures, disconnects, explanation, lateMs }: Report): string[] {
  if (kind === 'control') return figures.doubles > 0 ? [] : ['no token was presented by two live processes']
  const others = Object.keys(disconnects).filter((code) => kind === 'forgiving' || code !== 'refresh_result_lost')
  const { unexplained } = explanation
  return [
    ...(others.length > 0 ? [`disconnected: ${others.join(', ')}`] : []),
    ...(unexplained.length > 0 ? [`no killed process accounts for ${unexplained.join(', ')}`] : []),
    ...(figures.doubles > 0 ? [`${figures.doubles} tokens presented by two live processes`] : []),
    ...(lateMs > peaceMs ? ['connections were late more than a minute after the last trouble'] : []),
  ]
}

function tell(kind: Kind, { figures, explanation, killed, restarts, disconnects, lateMs, mostLate }: Report): void {
  const say = (line: string) => console.log(`  ${line}`)
  say(`${killed} workers killed; restarts: PostgreSQL ${restarts.postgres}, Redis ${restarts.redis}`)
  say(`${figures.redemptions} redemptions, ${figures.replays} replays, ${figures.refusals} refusals`)
  say(
    `presented again by the same process: ${figures.retriesByTheSame}, after the other's death: ${figures.retriesAfterDeath}, at the latest ${figures.longestGapMs} ms after the first time`,
  )
  say(`presented by two live processes: ${figures.doubles}`)
  const count = Object.values(disconnects).reduce((sum, each) => sum + each, 0)
  say(`disconnects: ${count} ${count === 0 ? '' : JSON.stringify(disconnects)}`.trimEnd())
  if (kind === 'control') return
  if (count > 0) {
    say(
      `${count - explanation.unexplained.length} of them were taken along by ${explanation.processes} killed processes, which had asked at most ${explanation.longestMs} ms before; unexplained: ${explanation.unexplained.length}`,
    )
  }
  say(`all on time ${(lateMs / 1000).toFixed(1)} s after the last trouble (at most ${mostLate} were late meanwhile)`)
}

console.log(
  `${scale.connections} connections, ${scale.issuers} issuers, ${tokenSeconds} s tokens, ${values.minutes} min`,
)
for (const kind of ['forgiving', 'strict', 'control'] as const) {
  if (values.only !== undefined && values.only !== kind) continue
  console.log(`${kind}:`)
  const report = await run(kind)
  tell(kind, report)
  for (const fault of faultsOf(kind, report)) {
    console.log(`  FAILED: ${fault}`)
    process.exitCode = 1
  }
}
