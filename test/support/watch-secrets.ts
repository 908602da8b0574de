import { request } from 'undici'
import type { Cluster } from './cluster.ts'
import { watchRedis } from './redis.ts'
import { createSweep, readWholeDatabase } from './sweep.ts'

type Watched = {
  readonly databaseUrl: string
  /** `ENCRYPTION_KEYS` of the cluster. */
  readonly ring: string
  readonly logs: readonly string[]
  readonly cluster: Cluster
}

export type SecretWatch = {
  /** A secret that is stored as a hash only, so that opening what is sealed does not find it. */
  add(name: string, value: string): void
  /** @throws Error that names each secret that turned up where none belongs (CR-04) */
  finish(): Promise<void>
}

const harvestMs = 1000

/**
 * Learns the secrets of a cluster while tests use it, whatever they do, by opening what it seals; at the end looks for them
 * in the logs, in all that Redis was sent, in the whole database, and in the metrics.
 */
export async function watchSecrets({ databaseUrl, ring, logs, cluster }: Watched): Promise<SecretWatch> {
  const sweep = createSweep(databaseUrl, ring)
  const commands: string[] = []
  const watcher = await watchRedis(cluster.redis, (command) => void commands.push(command))
  // a row may go between its reading and its opening
  const timer = setInterval(() => void sweep.harvest().catch(() => {}), harvestMs)

  return {
    add: sweep.add,
    async finish() {
      clearInterval(timer)
      await sweep.harvest()
      watcher.close()
      const metrics = await Promise.all(
        cluster.members.map(async ({ metricsUrl }) => (await request(metricsUrl)).body.text().catch(() => '')),
      )
      const places: Record<string, string> = {
        logs: logs.join('\n'),
        Redis: commands.join('\n'),
        database: (await readWholeDatabase(databaseUrl)).text,
        metrics: metrics.join('\n'),
      }
      const found = Object.entries(places).flatMap(([place, text]) =>
        sweep.findIn(text).map((hit) => `${hit}: ${place}`),
      )
      const sizes = Object.entries(places).map(([place, text]) => `${place} ${Math.round(text.length / 1024)} KB`)
      console.log(`      ${sweep.size} secrets looked for: ${sizes.join(', ')}`)
      if (found.length > 0) throw new Error(`CR-04: ${found.join('\n')}`)
    },
  }
}
