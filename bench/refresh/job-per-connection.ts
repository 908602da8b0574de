import { setTimeout as delay } from 'node:timers/promises'
import { createApp } from '../../src/app.ts'
import { readSettings } from '../../src/config/settings.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { createLogger } from '../../src/log/logger.ts'
import { createQueueBackend } from '../../src/queue/queue-backend.ts'
import { openPool } from '../../src/storage/prisma-client.ts'

/** The plain way to use a job queue: one job for each connection, which then goes the way of whoever asks for one refresh. */
let isRunning = false
const settings = readSettings(process.env)
const databaseUrl = new Secret(process.env.DATABASE_URL ?? '')
const app = createApp({ settings, databaseUrl, log: createLogger('info'), env: process.env })
const pool = openPool({ url: databaseUrl, poolSize: 1 })
const backend = createQueueBackend({ redisUrl: undefined, databaseUrl })
const queue = backend.openQueue('bench')
const worker = backend.openWorker(
  'bench',
  async (data) => {
    const { tenantId, id } = data as { tenantId: string; id: string }
    const connection = await app.connections.find(tenantId, id)
    if (connection !== null) await app.refreshing.refreshConnection(connection)
  },
  { concurrency: settings.REFRESH_CONCURRENCY },
)

const claim = `UPDATE connections SET next_refresh_at = now() + interval '10 minutes' WHERE id IN (
    SELECT id FROM connections WHERE next_refresh_at <= now() ORDER BY next_refresh_at LIMIT 200 FOR UPDATE SKIP LOCKED)
  RETURNING id, tenant_id AS "tenantId"`

const pollMs = 100

process.on('message', async () => {
  if (isRunning) return
  isRunning = true
  for (;;) {
    const { rows } = await pool.query<{ id: string; tenantId: string }>(claim)
    // whoever waited too long for a place at its issuer is given back, and comes again
    if (rows.length === 0) await delay(pollMs)
    await queue.addBulk(
      rows.map((data) => ({ name: 'bench', data, opts: { removeOnComplete: true, removeOnFail: true } })),
    )
  }
})
process.once('disconnect', () => process.exit())
await worker.waitUntilReady()
process.send?.('ready')
