import { execFile, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Target } from './targets.ts'

type Load = { readonly connections: number; readonly seconds: number; readonly perSecond: number }
export type Measured = {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Of the target, for each request. */
  readonly cpuMicroseconds: number
}

/** `getconf CLK_TCK` on every Linux that Node runs on. */
const ticksPerSecond = 100
const run = promisify(execFile)

/** Runs the load generator, on the core that the target does not run on. */
export async function measureLoad(target: Target, body: string, load: Load): Promise<Measured> {
  const before = cpuSecondsOf(target.pid)
  const job = { port: target.port, requests: requestsTo(target, body), ...load }
  const running = run('taskset', ['-c', '1', process.execPath, join(import.meta.dirname, 'load.mjs')])
  running.child.stdin?.end(JSON.stringify(job))
  const { stdout } = await running
  const cpuSeconds = cpuSecondsOf(target.pid) - before
  const { statuses, count, ...result } = JSON.parse(stdout)
  const wrong = Object.keys(statuses).filter((status) => status !== '200')
  if (wrong.length > 0) throw new Error(`${target.name} answered ${JSON.stringify(statuses)}`)
  return { ...result, cpuMicroseconds: (cpuSeconds * 1e6) / count }
}

function requestsTo({ port, host = `localhost:${port}`, path, credentials }: Target, body: string): string[] {
  return credentials.map((credential) =>
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${host}`,
      ...(credential === '' ? [] : [`Authorization: Bearer ${credential}`]),
      'Accept: application/json, text/event-stream',
      'Content-Type: application/json',
      'Mcp-Protocol-Version: 2025-11-25',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  )
}

/** Of a process and its children: nginx works in one. */
function cpuSecondsOf(pid: number): number {
  return family(pid).reduce((sum, one) => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }, 0)
}

function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children]
}

/** Lets a process and its children run on these cores only. */
export function pin(pid: number, cores: string): void {
  for (const one of family(pid)) {
    if (spawnSync('taskset', ['-acp', cores, String(one)]).status !== 0) throw new Error(`process ${one} is not there`)
  }
}

/** Resident memory, in KB. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
