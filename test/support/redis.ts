import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type RedisServer = {
  /** `unix://...`, as `REDIS_URL` takes it. */
  readonly url: string
  close(): Promise<void>
}

/**
 * A real Redis on a unix socket of its own, that keeps nothing on disk.
 *
 * @param program the path of `redis-server`
 */
export async function startRedis(program: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'patchbay-redis-'))
  const socket = join(folder, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', folder]
  const child = spawn(program, [...options, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    if (/ready to accept connections/i.test(line)) break
  }
  if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
  child.stdout.resume()
  return {
    url: `unix://${socket}`,
    async close() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
