import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

const test = z.object({ title: z.string(), fullTitle: z.string(), file: z.string() })
const report = z.object({
  tests: z.array(test),
  pending: z.array(test),
  failures: z.array(test),
})

/** What mocha says of a run; files are relative to its folder. */
export type MochaReport = z.infer<typeof report>

/**
 * Runs mocha in a folder that holds the project.
 *
 * @param args files and options
 * @param env what it finds in its environment besides ours
 * @returns null when it did not come as far as a report: a file that cannot be loaded, or too little time
 */
export async function runMocha(
  root: string,
  args: readonly string[],
  timeoutMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<MochaReport | null> {
  const folder = await mkdtemp(join(tmpdir(), 'checklist-'))
  const output = join(folder, 'report.json')
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const all = [mocha, '--reporter', 'json', '--reporter-option', `output=${output}`, ...args]
  try {
    await promisify(execFile)(process.execPath, all, {
      cwd: root,
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: 64 * 1024 * 1024,
    }).catch(() => undefined)
    const text = await readFile(output, 'utf8').catch(() => null)
    if (text === null) return null
    const { tests, pending, failures } = report.parse(JSON.parse(text))
    const local = (found: z.infer<typeof test>[]) => found.map((it) => ({ ...it, file: relative(root, it.file) }))
    return { tests: local(tests), pending: local(pending), failures: local(failures) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Every test there is, as mocha knows it: titles that are put together included. Nothing is run. */
export async function listTests(root: string): Promise<MochaReport['tests']> {
  const listed = await runMocha(root, ['--dry-run', 'test/**/*.test.ts'], 120_000)
  if (listed === null) throw new Error('mocha could not load the tests; "npm test" tells why')
  const skipped = new Set(listed.pending.map(({ fullTitle }) => fullTitle))
  return listed.tests.filter(({ fullTitle }) => !skipped.has(fullTitle))
}
