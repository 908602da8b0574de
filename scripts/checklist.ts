// `npm run checklist`: the rows of docs/security-checklist.md and the tests that carry them. Fails on a P0 row of a
// finished area without a test. `-- --prove [rows or areas]` breaks what each test's `@guards` comment names, in a copy,
// and fails when a test stays green.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Guard, readGuards } from './checklist/guards.ts'
import { openBench } from './checklist/prove.ts'
import { idsOfTitle, type Row, readRows } from './checklist/rows.ts'
import { listTests } from './checklist/tests.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const args = process.argv.slice(2)
const rows = readRows(readFileSync(join(root, 'docs', 'security-checklist.md'), 'utf8'))
const guards = readAllGuards()
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
    const isMissing = files.length === 0 && row.isFinished && row.priority === 'P0'
    if (isMissing) missing.push(row)
    const mark = files.length > 0 ? '✓' : isMissing ? '✗' : '–'
    console.log(`${mark} ${row.id.padEnd(6)} ${row.priority} ${row.summary}`)
    for (const [file, count] of files) console.log(`           ${file} (${count})`)
  }
  const known = new Set(rows.map(({ id }) => id))
  const strangers = new Set(tests.flatMap(({ title }) => idsOfTitle(title)).filter((id) => !known.has(id)))
  for (const id of strangers) console.error(`tests name ${id}, which is no row of docs/security-checklist.md`)
  for (const { id } of missing) console.error(`${id} is P0, its area is finished, and no test carries it`)
  const covered = rows.filter(({ id }) => filesOf(id).length > 0).length
  const finished = rows.filter((row) => row.isFinished && row.priority === 'P0').length
  console.log(
    `\n${covered} of ${rows.length} rows have tests; of ${finished} finished P0 rows ${missing.length} have none`,
  )
  return missing.length === 0 && strangers.size === 0
}

async function prove(): Promise<boolean> {
  const wanted = args.filter((arg) => !arg.startsWith('--'))
  const isWanted = ({ ids }: Guard) =>
    wanted.length === 0 || ids.some((id) => wanted.some((name) => id === name || id.startsWith(`${name}-`)))
  const chosen = guards.filter(isWanted)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const bench = await openBench(root)
  let unproven = 0
  try {
    for (const guard of chosen) {
      const proof = await bench.prove(guard)
      const what = `${guard.ids.join(', ')}  ${guard.file}:${guard.symbol}  (${guard.testFile})`
      if (proof.kind === 'red') console.log(`✓ ${what}: red when it ${proof.how}`)
      else {
        unproven += 1
        const why = proof.kind === 'green' ? `stays green when it ${proof.tried.join(', ')}` : proof.reason
        console.log(`✗ ${what}: ${why}`)
      }
    }
  } finally {
    await bench.close()
  }
  const proven = new Set(chosen.flatMap(({ ids }) => ids))
  const without = rows.filter(
    (row) => row.isFinished && row.priority === 'P0' && !guards.some(({ ids }) => ids.includes(row.id)),
  )
  console.log(`\n${chosen.length - unproven} of ${chosen.length} guards proven, for ${proven.size} rows`)
  if (wanted.length === 0 && without.length > 0) {
    console.log(`finished P0 rows without a @guards comment: ${without.map(({ id }) => id).join(', ')}`)
  }
  return unproven === 0
}
