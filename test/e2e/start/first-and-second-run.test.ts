import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { type NpmStart, npmStart, plainEnvironment, processesWith, walkthroughOf } from '../../support/npm-start.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'
import { runWalkthrough } from './walkthrough.ts'

const stopMs = 8_000
const run = promisify(execFile)

describe('npm start', function () {
  this.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-start-'))
  const dataDir = join(folder, 'data')
  let settings: Record<string, string>
  let url: string
  let start: NpmStart

  const keyFile = join(dataDir, 'admin-key')
  const fileKey = () => readFileSync(keyFile, 'utf8').trim()
  const statusWith = async (key: string) =>
    (await fetch(`${url}/api/v1/connectors`, { headers: { authorization: `Bearer ${key}` } })).status
  const patchbay = (...args: string[]) =>
    run(process.execPath, [join(packageRoot(), 'dist/src/cli/main.js'), ...args], {
      env: { ...plainEnvironment(), ...settings },
    })

  before(async () => {
    const [port = 0, sandboxPort = 0] = await freePorts(2)
    settings = { DATA_DIR: dataDir, PORT: String(port), SANDBOX_PORT: String(sandboxPort) }
    url = `http://localhost:${port}`
  })
  after(async () => {
    for (const { pid } of processesWith(dataDir)) process.kill(pid, 'SIGKILL')
    await start.ended
    rmSync(folder, { recursive: true })
  })

  describe('the first time, on a terminal', () => {
    let key: string
    before(async () => {
      start = npmStart({ settings, isOnTerminal: true })
      const ms = await start.ready()
      console.log(`      (cold start: ${(ms / 1000).toFixed(1)} s)`)
      key = /Admin API key +(\S+)/.exec(start.output())?.[1] ?? ''
    })

    it('says what it is doing, and where it runs', () => {
      expect(start.output()).to.include('(only once)').and.to.include(`Patchbay runs at ${url}\n`)
    })

    it('prints an admin key that works, and keeps it in a file for its owner only', async () => {
      expect(key).to.equal(fileKey())
      expect(await statusWith(key)).to.equal(200)
      expect(await statusWith(`${key}x`)).to.equal(401)
      expect(statSync(keyFile).mode & 0o777).to.equal(0o600)
      expect(statSync(dataDir).mode & 0o777).to.equal(0o700)
    })

    it('prints lines that lead to a tool call, when pasted into a shell', async () => {
      const result = await runWalkthrough(walkthroughOf(start.output()), 'Alice')
      expect(result).to.include({ complaints: '', text: 'You are Alice.' })
      expect(result.link).to.match(new RegExp(`^${url}/connect/`))
    })

    it('prints lines that may be pasted again', async () => {
      const result = await runWalkthrough(walkthroughOf(start.output()), 'Bob')
      expect(result).to.include({ complaints: '', text: 'You are Alice.', link: null })
    })

    it('writes the key to no log', () => {
      for (const name of ['patchbay.log', 'postgres.log']) {
        const text = readFileSync(join(dataDir, name), 'utf8')
        expect(text).to.not.include(key)
        expect(text).to.have.length.above(0)
      }
    })

    it('ends in order at Ctrl-C, and leaves nothing running', async () => {
      expect(
        processesWith(dataDir)
          .map(({ commandLine }) => commandLine)
          .join('\n'),
      )
        .to.include('workers/main.js')
        .and.to.include('postgres -D')
      start.interrupt()
      await endsCleanly()
    })
  })

  describe('the second time, in a pipe', () => {
    before(async () => {
      start = npmStart({ settings })
      const ms = await start.ready()
      console.log(`      (warm start: ${(ms / 1000).toFixed(1)} s)`)
    })

    it('shows no key, and says where it is and how to make another', async () => {
      expect(start.output()).to.include(`in ${keyFile}\n`).and.to.not.include(fileKey())
      const command = /another one: (.*)\)/.exec(start.output())?.[1] ?? ''
      const { stdout } = await run('bash', ['-c', command], {
        cwd: packageRoot(),
        env: { ...plainEnvironment(), ...settings },
      })
      expect(await statusWith(stdout.trim())).to.equal(200)
    })

    it('prints lines that work again, though the sandbox has forgotten everybody', async () => {
      const result = await runWalkthrough(walkthroughOf(start.output()), 'Carol')
      expect(result).to.include({ complaints: '', text: 'You are Carol.' })
    })

    it('lets keys be made, listed and revoked beside it', async () => {
      const made = JSON.parse((await patchbay('api-keys', 'create', '--label', 'script', '--json')).stdout)
      expect(await statusWith(made.key)).to.equal(200)
      expect((await patchbay('api-keys', 'list')).stdout).to.match(
        new RegExp(`^${made.id} .*active +\\S+ +script$`, 'm'),
      )
      await patchbay('api-keys', 'revoke', made.id)
      expect(await statusWith(made.key)).to.equal(401)
      const again = await patchbay('api-keys', 'revoke', 'x').catch((error: unknown) => error)
      expect(again).to.include({
        code: 1,
        stderr: 'That is not the id of a key. "patchbay api-keys list" shows the ids.\n',
      })
    })

    it('is not harmed by another start beside it, which says who runs, and where', async () => {
      const other = npmStart({ settings })
      expect(await other.ended).to.deep.equal({ code: 1, signal: null })
      const { pid } = JSON.parse(readFileSync(join(dataDir, 'instance.json'), 'utf8'))
      expect(other.output()).to.include(`Patchbay runs here already: process ${pid}, at ${url}, since`)
      expect(await statusWith(fileKey())).to.equal(200)
    })

    it('starts its worker again when that is killed', async () => {
      const workers = () => processesWith(dataDir).filter(({ commandLine }) => commandLine.includes('workers/main.js'))
      const [killed] = workers()
      process.kill(killed?.pid ?? 0, 'SIGKILL')
      const log = () => readFileSync(join(dataDir, 'patchbay.log'), 'utf8')
      const before = log().split('worker runs').length
      await until('another worker', () => log().split('worker runs').length > before, 20_000)
      expect(workers().map(({ pid }) => pid))
        .to.have.length(1)
        .and.to.not.include(killed?.pid)
    })

    it('shows the key nowhere, by now either', () => {
      expect(start.output() + readFileSync(join(dataDir, 'patchbay.log'), 'utf8')).to.not.include(fileKey())
    })

    it('ends in order at SIGTERM to npm, open streams too, and leaves nothing running', async () => {
      const stream = await openStream()
      start.kill('SIGTERM')
      await endsCleanly()
      // a stream that is cut off would throw
      await stream.text()
    })

    it('is needed by the commands, which say so', async () => {
      const failure = await patchbay('api-keys', 'list').catch((error: unknown) => error)
      expect(failure).to.include({
        code: 1,
        stderr: 'No database found. Start Patchbay first (npm start), or set DATABASE_URL.\n',
      })
    })
  })

  /** The stream of a legacy session through the connector that the walkthrough made. */
  async function openStream(): Promise<Response> {
    const auth = { authorization: `Bearer ${fileKey()}` }
    const list = await fetch(`${url}/api/v1/connectors`, { headers: auth })
    const { items } = (await list.json()) as { items: { mcp_url: string }[] }
    const endpoint = items[0]?.mcp_url ?? ''
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'by hand', version: '1' } }
    const opened = await fetch(endpoint, {
      method: 'POST',
      headers: { ...auth, accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
    })
    await opened.text()
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    const stream = await fetch(endpoint, { headers: { ...auth, ...session, accept: 'text/event-stream' } })
    expect(stream.headers.get('content-type')).to.match(/^text\/event-stream/)
    return stream
  }

  async function endsCleanly(): Promise<void> {
    const since = performance.now()
    expect(await start.ended).to.deep.equal({ code: 0, signal: null })
    expect(start.output()).to.include('\nStopped.\n')
    expect(processesWith(dataDir)).to.deep.equal([])
    expect(performance.now() - since).to.be.below(stopMs)
  }
})
