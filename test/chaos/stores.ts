import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { packageRoot } from '../../src/config/package-root.ts'
import { queueMigration } from '../../src/queue/migrate-queue.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { silentLog } from '../support/silent-log.ts'

export type Store = 'postgres' | 'redis'

export type Stores = {
  readonly databaseUrl: string
  /** Null: there is no redis-server on this machine. */
  readonly redisUrl: string | null
  /** How often each was restarted. */
  readonly restarts: Readonly<Record<Store, number>>
  /** Ends it and starts it again. Redis comes back empty. */
  restart(which: Store): Promise<void>
  close(): Promise<void>
}

/** A PostgreSQL and a Redis of our own, below `folder`. */
export async function openStores(folder: string): Promise<Stores> {
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
  const restarts = { postgres: 0, redis: 0 }
  return {
    databaseUrl: postgres.url,
    redisUrl: redis?.url ?? null,
    restarts,
    async restart(which) {
      if (which === 'postgres') {
        await postgres.stop()
        postgres = await openPostgres()
      } else {
        if (redis === null) return
        await redis.stop()
        await redis.start()
      }
      restarts[which] += 1
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
