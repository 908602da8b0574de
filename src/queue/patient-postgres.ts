import { setTimeout as delay } from 'node:timers/promises'
import { createPostgresBackend, type PostgresQueueBackend } from 'bullmq'

const retryMs = 1000

/**
 * BullMQ's PostgreSQL backend, for processes that outlive their database. Left to itself it remembers for ever that its first
 * attempt to connect failed, and a worker then asks again without any pause, until the process has no memory left.
 */
export const createPatientBackend: typeof createPostgresBackend = (name, options, more) => {
  const backend = createPostgresBackend(name, options, more)
  forgetFailures(backend)
  for (const method of ['waitForJob', 'moveToActive'] as const) {
    const ask = backend[method].bind(backend) as (...args: unknown[]) => Promise<unknown>
    Object.assign(backend, { [method]: (...args: unknown[]) => ask(...args).catch(pause) })
  }
  return backend
}

/** Neither the backend nor its connection keeps a readiness that failed; both are private to BullMQ 6.7. */
function forgetFailures(backend: PostgresQueueBackend): void {
  const connection: unknown = Reflect.get(backend, 'connection')
  for (const holder of [backend, connection] as { waitUntilReady(): Promise<void> }[]) {
    const ready = holder.waitUntilReady.bind(holder)
    holder.waitUntilReady = () =>
      ready().catch((error) => {
        Reflect.set(holder, 'readyPromise', undefined)
        throw error
      })
  }
}

async function pause(error: unknown): Promise<never> {
  await delay(retryMs)
  throw error
}
