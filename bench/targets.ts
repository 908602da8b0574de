import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../test/support/upstreams/free-ports.ts'
import { preparePatchbay } from './prepare-patchbay.ts'

/** Something that requests are sent to. */
export type Target = {
  readonly name: string
  readonly pid: number
  readonly port: number
  readonly path: string
  /** What it is called by, where that is not its own port. */
  readonly host?: string
  /** Used in turn; an empty one is not sent. */
  readonly credentials: readonly string[]
}

/** Starts the upstream on one core and everything that is measured on the other. */
export async function startTargets(folder: string): Promise<{ targets: Target[]; close(): Promise<void> }> {
  const children: ChildProcess[] = []
  const [upstreamPort = 0, barePort = 0, bareClusterPort = 0, sdkPort = 0, ...ports] = await freePorts(7)
  const [nginxPort = 0, patchbayPort = 0, patchbayGroupPort = 0] = ports
  const start = async (
    core: 0 | 1,
    args: string[],
    env = {},
    ready: RegExp = /ready|serving/,
  ): Promise<ChildProcess> => {
    const child = spawn('taskset', ['-c', String(core), process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    })
    children.push(child)
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on('data', (bytes) => ready.test(String(bytes)) && resolve())
      child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}`)))
    })
    return child
  }
  const script = (name: string) => join(import.meta.dirname, name)
  const plain = { path: '/mcp', credentials: [''] }
  const origin = `http://127.0.0.1:${upstreamPort}`

  const upstream = await start(1, [script('upstream.mjs'), String(upstreamPort)])
  const bare = await start(0, [script('bare-relay.mjs'), origin, String(barePort)])
  const bareCluster = await start(0, [script('bare-cluster.mjs'), origin, String(bareClusterPort)])
  const sdk = await start(0, [script('sdk-relay.mjs'), origin, String(sdkPort)])
  const prepared = await preparePatchbay(folder, `${origin}/mcp`, patchbayPort)
  // as Containerfile and chart start it
  const program = ['--no-memory-reducer', '--min-semi-space-size=16', script('../dist/src/server.js')]
  const server = (env = {}) => start(0, program, { ...prepared.env, ...env })
  const patchbay = await server()
  const publicUrl = `http://localhost:${patchbayPort}`
  const patchbayGroup = await server({ PORT: String(patchbayGroupPort), PUBLIC_URL: publicUrl, PROCESSES: '2' })
  const nginx = startNginx(folder, nginxPort, upstreamPort)
  if (nginx === null) console.log('nginx is not installed, so it is left out (Debian: apt-get install nginx)')
  else children.push(nginx)

  const target = (
    name: string,
    child: ChildProcess,
    port: number,
    rest: Omit<Target, 'name' | 'pid' | 'port'> = plain,
  ): Target => ({
    name,
    pid: child.pid ?? 0,
    port,
    ...rest,
  })
  const targets = [
    target('direct', upstream, upstreamPort),
    ...(nginx === null ? [] : [target('nginx', nginx, nginxPort)]),
    target('bare relay', bare, barePort),
    target('Patchbay, API keys', patchbay, patchbayPort, { path: prepared.path, credentials: prepared.apiKeys }),
    target('Patchbay, JWTs', patchbay, patchbayPort, { path: prepared.path, credentials: prepared.tokens }),
    target('SDK relay', sdk, sdkPort),
    target('bare relay, 2 processes', bareCluster, bareClusterPort),
    target('Patchbay, 2 processes', patchbayGroup, patchbayGroupPort, {
      host: `localhost:${patchbayPort}`,
      path: prepared.path,
      credentials: prepared.apiKeys,
    }),
  ]
  return {
    targets,
    async close() {
      for (const child of children) {
        const ended = once(child, 'exit')
        if (child.exitCode === null && child.kill('SIGKILL')) await ended
      }
      await prepared.close()
    },
  }
}

function startNginx(folder: string, port: number, upstreamPort: number): ChildProcess | null {
  if (spawnSync('nginx', ['-v']).status !== 0) return null
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit; events { worker_connections 8192; }
     http { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
       fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s; keepalive_requests 100000000;
       upstream mcp { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://mcp; proxy_http_version 1.1;
         proxy_set_header Connection ""; proxy_buffering off; } } }`,
  )
  return spawn('taskset', ['-c', '0', 'nginx', '-c', config, '-p', folder], { stdio: ['ignore', 'inherit', 'inherit'] })
}
