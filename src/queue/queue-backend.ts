import { Queue, Worker, withBackend } from 'bullmq'
import { Redis, type RedisOptions } from 'ioredis'
import type { Secret } from '../kernel/secret.ts'
import { queueSchema } from './migrate-queue.ts'
import { answeringInTime, closable } from './out-of-reach.ts'
import { createPatientBackend } from './patient-postgres.ts'
import { redisAddress } from './redis-address.ts'

export type QueueBackend = {
  /** A queue to add jobs to. Calls fail within a second when the backend is out of reach. */
  openQueue(name: string): Queue
  /**
   * A worker that runs `handle` for each job; it waits for as long as it takes when the backend is out of reach. Its `close()`
   * waits for the jobs that run, not for a backend that is gone.
   */
  openWorker(name: string, handle: (data: unknown) => Promise<unknown>, options: { concurrency: number }): Worker
  /** Closes what the backend itself opened, after its queues and workers. */
  close(): Promise<void>
}

type Options = { readonly redisUrl: Secret | undefined; readonly databaseUrl: Secret }

// nothing is kept of finished jobs: PostgreSQL's own tables say what happened, and a kept job id would block its successor
const jobOptions = { removeOnComplete: true, removeOnFail: true, attempts: 1 } as const
const maxPostgresConnections = 4
const commandTimeoutMs = 1000
const runRetryDelay = 1000

/** BullMQ over Redis where there is one, else over PostgreSQL. */
export function createQueueBackend({ redisUrl, databaseUrl }: Options): QueueBackend {
  return redisUrl === undefined ? overPostgres(databaseUrl) : overRedis(redisUrl)
}

function overPostgres(databaseUrl: Secret): QueueBackend {
  const classes = withBackend(createPatientBackend)
  const connection = {
    connectionString: databaseUrl.reveal(),
    schema: queueSchema,
    skipMigrations: true,
    max: maxPostgresConnections,
    connectionTimeoutMillis: 5000,
  }
  return {
    openQueue: (name) =>
      answeringInTime(new classes.Queue(name, { connection, defaultJobOptions: jobOptions }) as unknown as Queue),
    openWorker: (name, handle, { concurrency }) =>
      closable(
        handle,
        (run) =>
          new classes.Worker(name, (job) => run(job.data), {
            connection,
            concurrency,
            runRetryDelay,
          }) as unknown as Worker,
      ),
    close: async () => {},
  }
}

function overRedis(redisUrl: Secret): QueueBackend {
  const open = (options: Omit<RedisOptions, 'replyMapping'>): Redis => {
    const client = new Redis(redisAddress(redisUrl), options)
    // BullMQ reports on its own objects; ioredis would print what nobody listens for
    client.on('error', () => {})
    clients.push(client)
    return client
  }
  const clients: Redis[] = []
  return {
    openQueue: (name) =>
      answeringInTime(
        new Queue(name, {
          connection: open({ enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: commandTimeoutMs }),
          defaultJobOptions: jobOptions,
        }),
      ),
    openWorker: (name, handle, { concurrency }) =>
      closable(
        handle,
        (run) =>
          new Worker(name, (job) => run(job.data), {
            connection: open({ maxRetriesPerRequest: null }),
            concurrency,
            runRetryDelay,
          }),
      ),
    close: async () => {
      for (const client of clients) client.disconnect()
    },
  }
}
