import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { type NpmStart, npmStart, processesWith, walkthroughOf } from '../../support/npm-start.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'
import { runWalkthrough } from './walkthrough.ts'

const installMs = 300_000

describe('npm start in a fresh clone, in a folder with spaces', function () {
  this.timeout(60_000)
  const parent = mkdtempSync(join(tmpdir(), 'patchbay clone '))
  const folder = join(parent, 'my patchbay')
  let settings: Record<string, string>
  let start: NpmStart

  before(async () => {
    // In a container the checkout often belongs to somebody else, which git would take amiss.
    const gitConfig = join(parent, 'gitconfig')
    writeFileSync(gitConfig, '[safe]\n\tdirectory = *\n')
    // What was committed, and nothing else: without what lies about in this checkout.
    const env = { ...process.env, GIT_CONFIG_GLOBAL: gitConfig }
    execFileSync('git', ['clone', '--quiet', packageRoot(), folder], { env })
    const [port = 0, sandboxPort = 0] = await freePorts(2)
    // The packages are those that this checkout was installed from; the registry is asked for what the cache has lost.
    settings = { PORT: String(port), SANDBOX_PORT: String(sandboxPort), npm_config_prefer_offline: 'true' }
  })
  after(async () => {
    for (const { pid } of processesWith(folder)) process.kill(pid, 'SIGKILL')
    await start.ended
    rmSync(parent, { recursive: true })
  })

  it('installs, builds and runs, and says so on the way', async function () {
    this.timeout(installMs)
    start = npmStart({ folder, settings })
    const ms = await start.ready(installMs)
    console.log(`      (from a bare clone: ${(ms / 1000).toFixed(1)} s)`)
    const steps = ['installing dependencies', 'generating the database client', 'building', 'Making a database']
    const places = steps.map((step) => start.output().indexOf(step))
    expect(places).to.not.include(-1)
    expect(places).to.deep.equal([...places].sort((a, b) => a - b))
  })

  it('keeps its data in the folder, and names it from there', () => {
    expect(start.output()).to.include(' in .patchbay/admin-key\n').and.to.include(' .patchbay/patchbay.log\n')
    expect(start.output()).to.include('$(cat .patchbay/admin-key)')
  })

  it('prints lines that lead to a tool call', async () => {
    const result = await runWalkthrough(walkthroughOf(start.output()), 'Alice', folder)
    expect(result).to.include({ complaints: '', text: 'You are Alice.' })
  })

  it('leaves nothing running at Ctrl-C, and starts again with nothing left to install', async () => {
    for (const isAgain of [true, false]) {
      start.interrupt()
      expect(await start.ended).to.deep.equal({ code: 0, signal: null })
      expect(processesWith(folder)).to.deep.equal([])
      if (!isAgain) return
      start = npmStart({ folder, settings })
      await start.ready()
      expect(start.output()).to.not.match(/installing|building|generating|only once/)
    }
  })

  it('has changed nothing that git would commit', () => {
    expect(execFileSync('git', ['status', '--porcelain'], { cwd: folder, encoding: 'utf8' })).to.equal('')
  })
})
