import { rmSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sharedServerVariable, stopTestServer, testServer } from '../../test/support/test-server.ts'
import type { Guard } from './guards.ts'
import { breakSymbol } from './mutate.ts'
import { idsOfTitle } from './rows.ts'
import { type MochaReport, runMocha } from './tests.ts'

/** What came of breaking what a test guards. Only `red` proves anything. */
export type Proof =
  | { readonly kind: 'red'; readonly how: string }
  | { readonly kind: 'green'; readonly tried: readonly string[] }
  /** Nothing can be said: not green while nothing was broken, or no such symbol. */
  | { readonly kind: 'unusable'; readonly reason: string }

const copied = ['src', 'workers', 'test', 'scripts', 'prisma', 'presets', 'docs']
const copiedFiles = ['package.json', 'tsconfig.json', '.mocharc.json', 'prisma.config.ts']
const runMs = 240_000
/** Without the start of PostgreSQL, since all runs share one; the first failure says enough. */
const lean = ['--no-config', '--node-option', 'import=tsx', '--timeout', '60000', '--bail', '--exit']

/**
 * A copy of the work tree in which things may be broken; the packages are shared.
 *
 * @param guards all that will be proven: those of one file share the run in which nothing is broken
 */
export async function openBench(
  root: string,
  guards: readonly Guard[],
): Promise<{ prove(guard: Guard): Promise<Proof>; close(): Promise<void> }> {
  const bench = await mkdtemp(join(tmpdir(), 'patchbay-prove-'))
  // An interrupted run leaves nothing behind either.
  process.once('exit', () => rmSync(bench, { recursive: true, force: true }))
  for (const name of [...copied, ...copiedFiles]) await cp(join(root, name), join(bench, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(bench, 'node_modules'))

  const { postgres } = await testServer()
  const env = { [sharedServerVariable]: postgres.url }

  const runRows = (testFile: string, ids: readonly string[]): Promise<MochaReport | null> =>
    runMocha(bench, [...lean, testFile, '--grep', `\\b(${ids.join('|')})\\b`], runMs, env)
  const wholeRuns = new Map<string, Promise<MochaReport | null>>()
  const runWhole = ({ testFile }: Guard): Promise<MochaReport | null> => {
    const ids = guards.filter((guard) => guard.testFile === testFile).flatMap((guard) => guard.ids)
    const run = wholeRuns.get(testFile) ?? runRows(testFile, [...new Set(ids)])
    wholeRuns.set(testFile, run)
    return run
  }
  const carries = (guard: Guard, title: string): boolean =>
    idsOfTitle(title).some((id) => guard.ids.includes(id)) || guard.ids.some((id) => title.includes(`"${id}`))

  return {
    async prove(guard) {
      const file = join(bench, guard.file)
      const source = await readFile(file, 'utf8').catch(() => null)
      if (source === null) return { kind: 'unusable', reason: `${guard.file} does not exist` }
      const whole = await runWhole(guard)
      if (whole === null) return { kind: 'unusable', reason: 'the test did not run' }
      const [failure] = whole.failures
      if (failure !== undefined) return { kind: 'unusable', reason: `red while nothing is broken: ${failure.title}` }
      const ran = whole.tests.filter(({ title }) => carries(guard, title))
      if (ran.length === 0) return { kind: 'unusable', reason: 'the test did not run' }
      const tried: string[] = []
      try {
        for (const mutant of breakSymbol(guard.file, source, guard.symbol)) {
          await writeFile(file, mutant.source)
          const broken = await runRows(guard.testFile, guard.ids)
          // A file that does not even load proves nothing.
          if (broken?.failures.some(({ title }) => carries(guard, title))) return { kind: 'red', how: mutant.how }
          tried.push(mutant.how)
        }
      } catch (error) {
        return { kind: 'unusable', reason: error instanceof Error ? error.message : String(error) }
      } finally {
        await writeFile(file, source)
      }
      return { kind: 'green', tried }
    },
    async close() {
      await stopTestServer()
      await rm(bench, { recursive: true, force: true })
    },
  }
}
