// `npm run checklist`: the rows of docs/security-checklist.md and the tests that carry them. Fails on a finished P0 row
// without a test, or whose tests do not say what they guard. `-- --prove [rows or areas]` breaks what each test's `@guards`
// comment names, in a copy, and fails when a test stays green.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Guard, readGuards } from './checklist/guards.ts'
import { breakSymbol } from './checklist/mutate.ts'
import { openBench } from './checklist/prove.ts'
import { idsOfTitle, type Row, readRows } from './checklist/rows.ts'
import { listTests } from './checklist/tests.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const args = process.argv.slice(2)
const rows = readRows(readFileSync(join(root, 'docs', 'security-checklist.md'), 'utf8'))
const guards = readAllGuards()
const isDue = (row: Row) => row.isFinished && row.priority === 'P0'
const unguarded = rows.filter((row) => isDue(row) && !guards.some(({ ids }) => ids.includes(row.id)))
process.exitCode = (args.includes('--prove') ? await prove() : await list()) ? 0 : 1

function readAllGuards(): Guard[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `test/${name.replaceAll('\\', '/')}`)
    .flatMap((path) => readGuards(path, readFileSync(join(root, path), 'utf8')))
}

async function list(): Promise<boolean> {
  const tests = await listTests(root)
  const filesOf = (id: string) => {
    const counts = new Map<string, number>()
    for (const { title, file } of tests) {
      if (idsOfTitle(title).includes(id)) counts.set(file, (counts.get(file) ?? 0) + 1)
    }
    return [...counts]
  }
  const missing: Row[] = []
  for (const row of rows) {
    const files = filesOf(row.id)
    const isMissing = files.length === 0 && isDue(row)
    if (isMissing) missing.push(row)
    const mark = files.length > 0 ? '✓' : isMissing ? '✗' : '–'
    console.log(`${mark} ${row.id.padEnd(6)} ${row.priority} ${row.summary}`)
    for (const [file, count] of files) console.log(`           ${file} (${count})`)
  }
  const known = new Set(rows.map(({ id }) => id))
  const strangers = new Set(tests.flatMap(({ title }) => idsOfTitle(title)).filter((id) => !known.has(id)))
  for (const id of strangers) console.error(`tests name ${id}, which is no row of docs/security-checklist.md`)
  for (const { id } of missing) console.error(`${id} is P0, its area is finished, and no test carries it`)
  const empty = guards.flatMap(whyUnbreakable)
  for (const reason of empty) console.error(reason)
  for (const { id } of unguarded)
    console.error(`${id} is P0 and finished, and no test of it says "@guards <file>:<symbol>"`)
  const covered = rows.filter(({ id }) => filesOf(id).length > 0).length
  console.log(
    `\n${covered} of ${rows.length} rows have tests; of ${rows.filter(isDue).length} finished P0 rows ${missing.length} have none, and ${unguarded.length} say not what they guard`,
  )
  return missing.length === 0 && strangers.size === 0 && unguarded.length === 0 && empty.length === 0
}

/** A guard that names nothing, or several things, guards nothing: that shows without breaking anything. */
function whyUnbreakable({ testFile, ids, file, symbol }: Guard): string[] {
  try {
    breakSymbol(file, readFileSync(join(root, file), 'utf8'), symbol)
    return []
  } catch (error) {
    return [`${testFile}: ${ids.join(', ')}: ${error instanceof Error ? error.message : error}`]
  }
}

async function prove(): Promise<boolean> {
  const wanted = args.filter((arg) => !arg.startsWith('--'))
  const isWanted = ({ ids }: Guard) =>
    wanted.length === 0 || ids.some((id) => wanted.some((name) => id === name || id.startsWith(`${name}-`)))
  const chosen = guards.filter(isWanted)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const begun = performance.now()
  const bench = await openBench(root, chosen)
  let unproven = 0
  try {
    for (const [index, guard] of chosen.entries()) {
      const proof = await bench.prove(guard)
      const what = `${guard.ids.join(', ')}  ${guard.file}:${guard.symbol}  (${guard.testFile})`
      const count = `[${index + 1}/${chosen.length}]`
      if (proof.kind === 'red') console.log(`${count} ✓ ${what}: red when it ${proof.how}`)
      else {
        unproven += 1
        const why = proof.kind === 'green' ? `stays green when it ${proof.tried.join(', ')}` : proof.reason
        console.log(`${count} ✗ ${what}: ${why}`)
      }
    }
  } finally {
    await bench.close()
  }
  const proven = new Set(chosen.flatMap(({ ids }) => ids))
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1)
  console.log(
    `\n${chosen.length - unproven} of ${chosen.length} guards proven, for ${proven.size} rows, in ${minutes} minutes`,
  )
  const missing = wanted.length === 0 ? unguarded : []
  for (const { id } of missing) console.error(`${id} is P0 and finished, and no test of it names a guard`)
  return unproven === 0 && missing.length === 0
}
