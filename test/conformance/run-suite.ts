import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { packageRoot } from '../../src/config/package-root.ts'

export type SuiteRun = {
  /** The suite's own options that choose scenarios and revision. */
  readonly options: readonly string[]
  readonly publicUrl: string
  readonly key: string
}

/** What the suite saw in one scenario, and what the driver said came of it. */
export type ScenarioResult = {
  readonly scenario: string
  readonly passed: number
  /** Failures and warnings, in the suite's words. Both count against us. */
  readonly complaints: readonly string[]
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
export const suiteFolder = join(packageRoot(), 'node_modules', '@modelcontextprotocol', 'conformance')
const scenarioTimeoutMs = 60_000
const runTimeoutMs = 120_000
const folderName = /^(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/

/**
 * Runs the official suite's client scenarios against the Patchbay at `publicUrl`, all at once as the suite does it.
 *
 * @returns one result per scenario that ran, by name
 */
export async function runSuite({ options, publicUrl, key }: SuiteRun): Promise<ScenarioResult[]> {
  const output = await mkdtemp(join(tmpdir(), 'conformance-'))
  try {
    // at the back of the queue for the processor: forty drivers at once must not be what Patchbay is measured by
    const command = `nice -n 10 "${process.execPath}" "${here('driver.mjs')}"`
    await finished(['client', ...options, '--command', command, '--timeout', String(scenarioTimeoutMs), '-o', output], {
      PUBLIC_URL: publicUrl,
      PATCHBAY_KEY: key,
    })
    const files = await readdir(output, { recursive: true })
    const folders = files
      .filter((file) => file.endsWith(`${sep}checks.json`))
      .map((file) => dirname(join(output, file)))
    const results = await Promise.all(folders.map((folder) => readResult(output, folder)))
    return results.sort((a, b) => a.scenario.localeCompare(b.scenario))
  } finally {
    await rm(output, { recursive: true, force: true })
  }
}

/** The suite's exit code says that something failed; what, its files say better. */
async function finished(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const program = join(suiteFolder, 'dist', 'index.js')
  await new Promise<void>((resolve, reject) => {
    const child = execFile(
      process.execPath,
      ['--import', new URL('suite-loader.mjs', import.meta.url).href, program, ...args],
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
        else if (!stdout.includes('=== SUITE SUMMARY ==='))
          reject(new Error(`the suite did not run: ${stdout}${stderr}`))
        else resolve()
      },
    )
  })
}

async function readResult(root: string, folder: string): Promise<ScenarioResult> {
  const seen = checks.parse(JSON.parse(await readFile(join(folder, 'checks.json'), 'utf8')))
  const stdout = await readFile(join(folder, 'stdout.txt'), 'utf8')
  const report = driverReport.safeParse(lastJson(stdout))
  const name = relative(root, folder).split(sep).join('/')
  return {
    scenario: folderName.exec(name)?.[1] ?? name,
    passed: seen.filter(({ status }) => status === 'SUCCESS').length,
    complaints: seen
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, description, errorMessage }) => `${id}: ${errorMessage ?? description ?? ''}`),
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
