// `npm run verify`: everything that CI checks. No step stops the others; what failed is summed up at the end, and the
// last line is the tests' own: `N passed, N failed, N skipped`.
import './check-node.mjs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, say } from './setup/run.mjs'

const closingLine = /^\d+ passed, \d+ failed, \d+ skipped$/
const bin = (name, path) => join(root, 'node_modules', name, path)
const script = (name) => join(root, 'scripts', name)
const typescript = bin('typescript', 'bin/tsc')
const steps = [
  { name: 'set-up', args: [script('setup.mjs')] },
  {
    name: 'format and lint (biome)',
    args: [bin('@biomejs/biome', 'bin/biome'), 'check', '.', '--diagnostic-level=warn'],
  },
  { name: 'types (tsc)', args: [typescript, '-p', 'tsconfig.json', '--noEmit'] },
  { name: 'unused code (knip)', args: [bin('knip', 'bin/knip.js')] },
  { name: 'generated documents', args: ['--import', 'tsx', script('docs.ts'), '--check'], needs: script('docs.ts') },
  { name: 'security checklist', args: ['--import', 'tsx', script('checklist.ts')] },
  { name: 'migrations match the schema', args: ['--import', 'tsx', script('migrations-check.ts')] },
  { name: 'tests', args: [script('test.mjs')] },
]

/** Runs one step and shows what it prints; the tests' closing line is kept for the end. */
async function run(args) {
  const isTerminal = process.stdout.isTTY === true
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(isTerminal ? { FORCE_COLOR: '1' } : {}) },
  })
  let tail = ''
  let closing
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text)
    const lines = (tail + text).split('\n')
    tail = lines.pop() ?? ''
    closing = lines.findLast((line) => closingLine.test(line)) ?? closing
  })
  const [code] = await once(child, 'close')
  return { isGood: code === 0, closing }
}

const failed = []
let closing = '0 passed, 1 failed, 0 skipped'
for (const { name, args, needs } of steps) {
  if (needs !== undefined && !existsSync(needs)) {
    say(`${name}: left out, ${needs.slice(root.length)} does not exist`)
    continue
  }
  say(`${name} ...`)
  const outcome = await run(args)
  if (!outcome.isGood) failed.push(name)
  closing = outcome.closing ?? closing
}
say(failed.length === 0 ? 'everything is in order' : `FAILED: ${failed.join(', ')}`)
console.log(`\n${closing}`)
process.exitCode = failed.length === 0 ? 0 : 1
