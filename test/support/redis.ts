import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

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

/**
 * Tells of every command that a Redis is sent, from now on. By hand: ioredis takes a command of somebody else that is told of in
 * the same moment as MONITOR is answered for the answer, and fails or waits for ever.
 */
export async function watchRedis(
  { url }: Pick<RedisServer, 'url'>,
  onCommand: (command: string) => void,
): Promise<{ close(): void }> {
  const socket = connect(url.replace('unix://', '')).setEncoding('utf8')
  socket.on('error', () => {})
  let rest = ''
  const answered = new Promise<string>((resolve, reject) => {
    socket.once('close', () => reject(new Error('redis-server is gone')))
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        // told of a command, by the time of which each begins
        if (/^\+\d/.test(line)) onCommand(unescaped(line))
        else resolve(line)
      }
    })
  })
  socket.write('MONITOR\r\n')
  const answer = await answered
  if (answer !== '+OK') throw new Error(`redis-server answers ${answer} to MONITOR`)
  return { close: () => socket.destroy() }
}

/** As it was sent: Redis escapes quotes, backslashes and what cannot be printed. */
function unescaped(line: string): string {
  return line.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, character: string) =>
    hex === undefined ? (controls[character] ?? character) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\u0007', b: '\b' }

async function launch(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    if (/ready to accept connections/i.test(line)) break
  }
  if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
  child.stdout.resume()
  return child
}
