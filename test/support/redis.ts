import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'

export type RedisServer = {
  /** `unix://...`, as `REDIS_URL` takes it. */
  readonly url: string
  /** Ends it, and everything in it. */
  stop(): Promise<void>
  /** Starts it again, at the same place. */
  start(): Promise<void>
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
  const args = [...options, '--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
  let child = await launch(program, args)
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
  return {
    url: `unix://${socket}`,
    stop,
    async start() {
      child = await launch(program, args)
    },
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Tells of every command that a Redis is sent, from now on. */
export async function watchRedis(
  { url }: Pick<RedisServer, 'url'>,
  onCommand: (command: string) => void,
): Promise<{ close(): void }> {
  const client = new Redis({ path: url.replace('unix://', '') })
  // a connection of its own
  const monitor = await client.monitor()
  client.disconnect()
  monitor.on('monitor', (_time: string, command: string[]) => onCommand(command.join(' ')))
  return { close: () => monitor.disconnect() }
}

async function launch(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    if (/ready to accept connections/i.test(line)) break
  }
  if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
  child.stdout.resume()
  return child
}
