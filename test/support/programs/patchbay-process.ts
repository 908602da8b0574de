// One of Patchbay's processes as it is composed in production, but for what the environment takes out:
//   ROLE          server | worker
//   COORDINATION  off: leases are handed out to everybody, for a negative control
//   HALT_AT       JSON, connection id -> fault point: where a refresh of that connection stops, and says so, until it is told to go on
//   CLOCK_AHEAD   by how many milliseconds its clock is ahead of others', or behind
//   WAVES         any: grants end whose rejection comes with many others, where they are kept for a day in production
//   SPEED         how much faster than in life leases run
//   CALLS_FROM    the loopback address by which its token requests are told from those of others
// Says {"running": true} to its parent, and {"halted": <connection id>} for each refresh that stopped.
import { createApp } from '../../../src/app.ts'
import type { RefreshParts } from '../../../src/composition/compose-refresh.ts'
import { defaultTimings } from '../../../src/config/timings.ts'
import type { LeaseStore } from '../../../src/connections/lease-store.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { startHttpServer } from '../../../src/process/http-server.ts'
import { runProcess } from '../../../src/process/run-process.ts'
import { readUsableSettings } from '../../../src/process/usable-settings.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { findDatabase } from '../../../src/storage/find-database.ts'
import { startWorker } from '../../../workers/start-worker.ts'
import { createTestClock } from '../test-clock.ts'

const { env } = process
const log = createLogger(env.LOG_LEVEL ?? 'warn')
const haltAt = JSON.parse(env.HALT_AT ?? '{}') as Record<string, string>
const speed = Number(env.SPEED ?? '1')
const halted = new Map<string, () => void>()
process.on('message', ({ goOn = '' }: { goOn?: string }) => halted.get(goOn)?.())
// whoever listens does not keep the process alive
process.channel?.unref()

await runProcess(log, async () => {
  const settings = readUsableSettings(env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null) throw new Error('no database')

  const parts: RefreshParts = {
    reach: async (point, connectionId) => {
      if (haltAt[connectionId] !== point) return
      const toldToGoOn = new Promise<void>((resolve) => halted.set(connectionId, resolve))
      process.send?.({ halted: connectionId })
      await toldToGoOn
    },
    ...(env.COORDINATION === 'off' ? { leases: (real: LeaseStore) => freely(real, databaseUrl.reveal()) } : {}),
  }
  const address = env.CALLS_FROM
  const egress = address === undefined ? {} : { lookup: async () => [{ address, family: 4 }] }
  const { refresh } = defaultTimings
  const rejections = { ...refresh.rejections, ...(env.WAVES === 'any' ? { count: Number.MAX_SAFE_INTEGER } : {}) }
  const timings = {
    ...defaultTimings,
    refresh: {
      ...refresh,
      rejections,
      leaseMs: refresh.leaseMs / speed,
      heartbeatMs: refresh.heartbeatMs / speed,
      safetyMs: refresh.safetyMs / speed,
      freshMs: refresh.freshMs / speed,
    },
  }
  const clock = createTestClock()
  clock.advance(Number(env.CLOCK_AHEAD ?? '0'))
  const app = createApp({ settings, databaseUrl, log, env, timings, refresh: parts, egress, clock })
  const work =
    env.ROLE === 'worker'
      ? startWorker({ app, settings, databaseUrl, log })
      : await startHttpServer(app, settings, { noticeMs: 0, drainMs: 1000 })
  process.send?.({ running: true })
  return {
    async close() {
      await work.close()
      await app.close()
    },
  }
})

const noTimeMs = 1

/** Leases that are no leases: whoever asks is given one, whoever else has it, and it lasts for no time at all. */
function freely(real: LeaseStore, databaseUrl: string): LeaseStore {
  return {
    ...real,
    async takeLeases(references, owner) {
      const ids = references.map(({ id }) => id)
      await withConnection(databaseUrl, (client) =>
        client.query('UPDATE connections SET lease_until = NULL WHERE id = ANY ($1::uuid[])', [ids]),
      )
      return real.takeLeases(references, owner, noTimeMs)
    },
    takeDueLeases: (due, owner) => real.takeDueLeases(due, owner, noTimeMs),
  }
}
