import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { packageRoot } from '../../src/config/package-root.ts'

export type ClientRun = {
  /** The suite's own options that choose scenarios and revision. */
  readonly options: readonly string[]
  readonly publicUrl: string
  readonly key: string
}

export type ServerRun = {
  /** The suite's own options that choose scenarios and revision. */
  readonly options: readonly string[]
  /** Where the server under test is. The suite knows no credentials. */
  readonly url: string
}

/** What the suite saw in one scenario. */
export type ScenarioResult = {
  readonly scenario: string
  readonly passed: number
  /** Failures and warnings, in the suite's words. Both count against us. */
  readonly complaints: readonly string[]
  /** Each check and its verdict, in order: `id STATUS`. */
  readonly verdicts: readonly string[]
}

/** The same, and what the driver said came of it. */
export type ClientResult = ScenarioResult & {
  readonly driver: { readonly outcome: 'used' | 'refused' | 'not_offered' | 'silent'; readonly code: string | null }
  readonly message: string
}

const checks = z.array(
  z.object({
    id: z.string(),
    status: z.string(),
    description: z.string().optional(),
    errorMessage: z.string().optional(),
  }),
)
const driverReport = z.object({
  outcome: z.enum(['used', 'refused', 'not_offered']),
  code: z.string().nullable().default(null),
  message: z.string().default(''),
})

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
/** Where the suite is installed. */
const suiteFolder = join(packageRoot(), 'node_modules', '@modelcontextprotocol', 'conformance')
const summary = /=== (?:SUITE )?SUMMARY ===/
const scenarioTimeoutMs = 60_000
const runTimeoutMs = 120_000
const folderName = /^(?:authorization-server-|server-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/

/** What the suite's authors froze for a revision: the scenarios that conform to it. */
export function requiredScenarios(side: 'client' | 'server', revision: string): string[] {
  const text = readFileSync(join(suiteFolder, 'requirements', `${revision}.yaml`), 'utf8')
  return z.object({ client: z.array(z.string()), server: z.array(z.string()) }).parse(parse(text))[side]
}

/**
 * Runs the official suite's client scenarios against the Patchbay at `publicUrl`, all at once as the suite does it.
 *
 * @returns one result per scenario that ran, by name
 */
export function runClientSuite({ options, publicUrl, key }: ClientRun): Promise<ClientResult[]> {
  // at the back of the queue for the processor: forty drivers at once must not be what Patchbay is measured by
  const command = `nice -n 10 "${process.execPath}" "${here('driver.mjs')}"`
  const args = ['client', ...options, '--command', command, '--timeout', String(scenarioTimeoutMs)]
  return run(args, { PUBLIC_URL: publicUrl, PATCHBAY_KEY: key }, readClientResult)
}

/**
 * Runs the official suite's server scenarios against the server at `url`, one after the other.
 *
 * @returns one result per scenario that ran, by name
 */
export function runServerSuite({ options, url }: ServerRun): Promise<ScenarioResult[]> {
  return run(['server', '--url', url, ...options], {}, readResult)
}

async function run<Result extends ScenarioResult>(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  read: (root: string, folder: string) => Promise<Result>,
): Promise<Result[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'))
  try {
    await finished([...args, '-o', output], env)
    return await readAll(output, read)
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}

async function readAll<Result extends ScenarioResult>(
  output: string,
  read: (root: string, folder: string) => Promise<Result>,
): Promise<Result[]> {
  const files = await readdir(output, { recursive: true })
  const folders = files.filter((file) => file.endsWith(`${sep}checks.json`)).map((file) => dirname(join(output, file)))
  const results = await Promise.all(folders.map((folder) => read(output, folder)))
  return results.sort((a, b) => a.scenario.localeCompare(b.scenario))
}

/** What a run that wrote into this folder saw, one result per scenario, by name. */
export function readResults(output: string): Promise<ScenarioResult[]> {
  return readAll(output, readResult)
}

/** What Node is told to run the suite with these arguments. */
export function suiteCommand(args: readonly string[]): string[] {
  const program = join(suiteFolder, 'dist', 'index.js')
  return ['--import', new URL('suite-loader.mjs', import.meta.url).href, program, ...args]
}

/** The suite's exit code says that something failed; what, its files say better. */
async function finished(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      process.execPath,
      suiteCommand(args),
      {
        cwd: packageRoot(),
        env: { PATH: process.env.PATH ?? '', ...env },
        timeout: runTimeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (_error, stdout, stderr) => {
        if (child.signalCode !== null)
          reject(new Error(`the suite took over ${runTimeoutMs} ms: ${stdout.slice(-2000)}`))
        else if (!summary.test(stdout)) reject(new Error(`the suite did not run: ${stdout}${stderr}`))
        else resolve()
      },
    )
  })
}

async function readResult(root: string, folder: string): Promise<ScenarioResult> {
  const seen = checks.parse(JSON.parse(await readFile(join(folder, 'checks.json'), 'utf8')))
  const name = relative(root, folder).split(sep).join('/')
  return {
    scenario: folderName.exec(name)?.[1] ?? name,
    passed: seen.filter(({ status }) => status === 'SUCCESS').length,
    complaints: seen
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, description, errorMessage }) => `${id}: ${errorMessage ?? description ?? ''}`),
    verdicts: seen.map(({ id, status }) => `${id} ${status}`),
  }
}

async function readClientResult(root: string, folder: string): Promise<ClientResult> {
  const stdout = await readFile(join(folder, 'stdout.txt'), 'utf8')
  const report = driverReport.safeParse(lastJson(stdout))
  return {
    ...(await readResult(root, folder)),
    driver: report.success
      ? { outcome: report.data.outcome, code: report.data.code }
      : { outcome: 'silent', code: null },
    message: report.success ? report.data.message : stdout,
  }
}

function lastJson(text: string): unknown {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '')
  } catch {
    return undefined
  }
}
