import type { Redis } from 'ioredis'
import type { SpillPlace } from '../connections/spill.ts'
import type { Secret } from '../kernel/secret.ts'
import { redisAddress } from './redis-address.ts'

const prefix = 'patchbay:spill:'
/** Longer than any outage that is worth waiting for: a refresh token of then is of no use to anybody. */
const keepSeconds = 7 * 86_400
const commandTimeoutMs = 1000

/**
 * Spilled results in Redis, which any process of the installation can read, also when the one that spilled is gone with its
 * disk. Connects when first needed, which is almost never.
 */
export function createSpillRedis(redisUrl: Secret): SpillPlace & { close(): void } {
  let opened: Promise<Redis> | undefined

  const redis = (): Promise<Redis> => {
    opened ??= import('ioredis').then(({ Redis }) => {
      const client = new Redis(redisAddress(redisUrl), {
        maxRetriesPerRequest: 1,
        commandTimeout: commandTimeoutMs,
      })
      client.on('error', () => {})
      return client
    })
    return opened
  }

  return {
    async put(name, text) {
      await (await redis()).set(prefix + name, text, 'EX', keepSeconds)
    },

    async get(name) {
      return (await redis()).get(prefix + name)
    },

    async names() {
      const names: string[] = []
      const client = await redis()
      let cursor = '0'
      do {
        const [next, keys] = await client.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 500)
        names.push(...keys.map((key) => key.slice(prefix.length)))
        cursor = next
      } while (cursor !== '0')
      return names
    },

    async remove(name) {
      await (await redis()).del(prefix + name)
    },

    close() {
      void opened?.then((client) => client.disconnect())
    },
  }
}
