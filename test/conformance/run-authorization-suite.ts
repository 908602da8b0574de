import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readResults, type ScenarioResult, suiteCommand } from './run-suite.ts'

export type AuthorizationRun = {
  /** The issuer. */
  readonly url: string
  readonly clientId: string
  readonly resource: string
  /** Of the suite's callback, `http://127.0.0.1:<port>/callback`. */
  readonly port: number
  /** Goes the way of a person in the browser, from the address that the suite prints until its callback has answered. */
  readonly visit: (authorizationUrl: string) => Promise<unknown>
}

const runTimeoutMs = 90_000

/**
 * Runs the official suite against an authorization server. It prints where a person should go, and waits.
 *
 * @returns one result per scenario, by name
 */
export async function runAuthorizationSuite({
  url,
  clientId,
  resource,
  port,
  visit,
}: AuthorizationRun): Promise<ScenarioResult[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'))
  const options = ['--url', url, '--client-id', clientId, '--resource', resource, '--port', String(port), '-o', output]
  const child = spawn(process.execPath, suiteCommand(['authorization', ...options]), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH ?? '' },
    timeout: runTimeoutMs,
    killSignal: 'SIGKILL',
  })
  try {
    const visits: Promise<unknown>[] = []
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const found = new RegExp(`${url}/\\S*authorize\\?\\S+\\s`).exec(text)?.[0]
      if (found === undefined) return
      text = ''
      visits.push(visit(found.trim()))
    })
    await once(child, 'exit')
    await Promise.all(visits)
    return await readResults(output)
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}
