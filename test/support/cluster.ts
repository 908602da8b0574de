import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { packageRoot } from '../../src/config/package-root.ts'
import { type Balancer, startBalancer } from './balancer.ts'
import { findRedis } from './lanes.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { until } from './until.ts'
import { freePorts } from './upstreams/free-ports.ts'

export type Role = 'server' | 'worker'

export type Member = {
  readonly role: Role
  readonly metricsUrl: string
  /** Sends the signal and waits for the end. Gives the exit code; null after SIGKILL. */
  end(signal: NodeJS.Signals): Promise<number | null>
  /** Starts another one in its place, on the same ports, and waits until it serves. */
  startAgain(): Promise<void>
}

/** What a deployment on one machine is: servers and workers as they are built, behind a balancer, with Redis. */
export type Cluster = {
  /** Of the balancer. */
  readonly url: string
  readonly members: readonly Member[]
  readonly redis: RedisServer
  close(): Promise<void>
}

export type ClusterOptions = {
  /** Of every process. Holds `DATABASE_URL` and `ENCRYPTION_KEYS`; `PORT` is the balancer's. */
  readonly env: Readonly<Record<string, string>>
  /** What the processes log, line by line; `member` is the place among the members. */
  readonly onLog: (line: string, member: number) => void
  /** The checkouts whose builds run: of the first server and the first worker, then of the second ones. Default: this one. */
  readonly folders?: readonly string[]
}

/** Two servers and two workers. */
const roles: readonly Role[] = ['server', 'server', 'worker', 'worker']
const programs: Readonly<Record<Role, string>> = { server: 'dist/src/server.js', worker: 'dist/workers/main.js' }
const started: Readonly<Record<Role, string>> = { server: '"msg":"serving"', worker: '"msg":"worker runs"' }

/**
 * Starts a cluster on loopback.
 *
 * @throws Error where there is no redis-server, or the checkout was not built
 */
export async function startCluster({ env, onLog, folders = [] }: ClusterOptions): Promise<Cluster> {
  const program = findRedis()
  if (program === undefined) throw new Error('A cluster needs the program redis-server.')
  const redis = await startRedis(program)
  const ports = await freePorts(roles.length * 2)
  const places = roles.map((role, index) => {
    const [port = 0, metricsPort = 0] = ports.slice(index * 2)
    // servers and workers alike: the first of `folders`, then the second
    return { role, port, metricsPort, folder: folders[index % 2] ?? packageRoot() }
  })
  const publicUrl = `http://localhost:${env.PORT}`
  const members: Member[] = []
  let balancer: Balancer | undefined
  const close = async (): Promise<void> => {
    balancer?.close()
    await Promise.all(members.map((member) => member.end('SIGKILL')))
    await redis.close()
  }
  try {
    const shared = { ...env, PUBLIC_URL: publicUrl, REDIS_URL: redis.url }
    const launched = places.map((place, index) => launch(place, shared, (line) => onLog(line, index)))
    members.push(...launched)
    await Promise.all(launched.map((member) => member.running()))
    const servers = places.filter(({ role }) => role === 'server').map(({ port }) => port)
    const host = new URL(publicUrl).host
    balancer = await startBalancer(servers, { port: Number(env.PORT), isReady: (port) => isReady(port, host) })
  } catch (error) {
    await close()
    throw error
  }
  return { url: publicUrl, members, redis, close }
}

async function isReady(port: number, host: string): Promise<boolean> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`, { headers: { host } })
  await body.dump()
  return statusCode === 200
}

type Place = { readonly role: Role; readonly port: number; readonly metricsPort: number; readonly folder: string }

function launch(place: Place, env: Readonly<Record<string, string>>, onLog: (line: string) => void) {
  const { role, port, metricsPort, folder } = place
  const program = join(folder, programs[role])
  if (!existsSync(program)) throw new Error(`${program} is not there. Build first: npm run build`)
  let child: ChildProcess
  let isRunning = false
  let complaints = ''
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null

  const start = (): void => {
    isRunning = false
    // forked: it ends when we are gone, however we ended
    child = fork(program, [], {
      cwd: folder,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: {
        PATH: process.env.PATH ?? '',
        MIGRATE: 'off',
        ...(role === 'worker' ? { SWEEP_INTERVAL: '0.2' } : {}),
        ...env,
        PORT: String(port),
        INTERNAL_URL: `http://127.0.0.1:${port}`,
        METRICS_HOST: '127.0.0.1',
        [role === 'server' ? 'METRICS_PORT' : 'WORKER_METRICS_PORT']: String(metricsPort),
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    let rest = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        isRunning ||= line.includes(started[role])
        onLog(line)
      }
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaints += text
      onLog(text)
    })
  }
  const running = async (): Promise<void> => {
    await until(`a ${role}`, () => isRunning || hasEnded(), 100_000)
    if (hasEnded()) throw new Error(`the ${role} did not start: ${complaints}`)
  }
  start()
  return {
    role,
    metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`,
    running,
    async end(signal: NodeJS.Signals) {
      if (hasEnded()) return child.exitCode
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
      return child.exitCode
    },
    async startAgain() {
      start()
      await running()
    },
  }
}
