import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'

const root = packageRoot()

describe('the reporter', function () {
  this.timeout(30_000)
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchbay-reporter-'))
  })

  after(() => rm(folder, { recursive: true, force: true }))

  /** Runs mocha over one file of tests, on a machine that seems to have no other programs. */
  async function run(source: string, env: Record<string, string> = {}) {
    const file = join(folder, 'sample.ts')
    const lanes = JSON.stringify(join(root, 'test', 'support', 'lanes.ts'))
    await writeFile(file, `import { requireChromium, requireRedis } from ${lanes}\n${source}`)
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
    const reporter = join(root, 'test', 'support', 'reporter.cjs')
    const args = ['--import', 'tsx', mocha, '--no-config', '--reporter', reporter, file]
    const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: { PATH: '', ...env } })
    const lines = result.stdout.trimEnd().split('\n')
    return { status: result.status, output: result.stdout, last: lines.at(-1) }
  }

  it('closes with one line that counts', async () => {
    const { status, last } = await run(`it('a', () => {}); it('b', () => {}); it('c', () => { throw new Error('x') })`)
    expect({ status, last }).to.deep.equal({ status: 1, last: '2 passed, 1 failed, 0 skipped' })
  })

  it('ends well when all is well', async () => {
    const { status, last } = await run(`it('a', () => {})`)
    expect({ status, last }).to.deep.equal({ status: 0, last: '1 passed, 0 failed, 0 skipped' })
  })

  it('counts a skip that nobody allowed as a failure, and names it', async () => {
    const { status, output, last } = await run(`it('a', () => {}); it.skip('b', () => {})`)
    expect({ status, last }).to.deep.equal({ status: 1, last: '1 passed, 1 failed, 0 skipped' })
    expect(output).to.contain('skipped: b (not allowed')
  })

  it('names an allowed skip with its reason', async () => {
    const { status, output, last } = await run(
      `describe('startEmbeddedPostgres when its owner was killed', () => { it.skip('ends by itself, where the system tells it', () => {}) })`,
    )
    expect({ status, last }).to.deep.equal({ status: 0, last: '0 passed, 0 failed, 1 skipped' })
    expect(output).to.contain('(Linux only)')
  })

  for (const [where, source] of [
    ['a test', `it('a', function () { requireRedis(this) })`],
    ['a hook', `describe('s', () => { before(function () { requireChromium(this) }); it('a', () => {}) })`],
  ] as const) {
    it(`lets a lane be skipped from ${where} where its program is missing`, async () => {
      const { status, output, last } = await run(source)
      expect({ status, last }).to.deep.equal({ status: 0, last: '0 passed, 0 failed, 1 skipped' })
      expect(output).to.match(/skipped: .*a \(needs the program (redis-server|chromium)\)/)
    })

    it(`fails a lane that is skipped from ${where} in CI`, async () => {
      const { status, last } = await run(source, { CI: 'true' })
      expect({ status, last }).to.deep.equal({ status: 1, last: '0 passed, 1 failed, 0 skipped' })
    })
  }
})
