import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type NpmStart, npmStart, processesWith } from '../../support/npm-start.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'

const goneMs = 10_000
const upstream = 'http://localhost:9/mcp'

describe('npm start in trouble', function () {
  this.timeout(120_000)
  const folder = mkdtempSync(join(tmpdir(), 'patchbay-trouble-'))
  const dataDir = join(folder, 'data')
  const keyFile = join(dataDir, 'encryption-keys')
  const adminKey = () => readFileSync(join(dataDir, 'admin-key'), 'utf8').trim()
  let settings: { DATA_DIR: string; PORT: string; SANDBOX_PORT: string }
  let url: string
  let start: NpmStart

  /** Of this data folder, by what their command lines hold. */
  const pidOf = (text: string): number => {
    const found = processesWith(dataDir).filter(({ commandLine }) => commandLine.includes(text))
    expect(found, `processes with ${text}`).to.have.length(1)
    return found[0]?.pid ?? 0
  }
  const mainPid = (): number => JSON.parse(readFileSync(join(dataDir, 'instance.json'), 'utf8')).pid
  const untilNothingRuns = () =>
    until('everything to end', () => processesWith(dataDir).length === 0, goneMs).catch((error: unknown) => {
      throw new Error(JSON.stringify(processesWith(dataDir)), { cause: error })
    })
  const begin = async () => {
    start = npmStart({ settings })
    await start.ready()
  }
  const api = async (method: string, path: string, body?: object) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey()}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const { items = [] } = (await response.json()) as { items?: { url: string }[] }
    return { status: response.status, urls: items.map((item) => item.url) }
  }

  /** A start that must not come about: it ends by itself with exit code 1, nothing running, and no stack trace. */
  async function refused(more: Record<string, string> = {}): Promise<string> {
    start = npmStart({ settings: { ...settings, ...more } })
    expect(await start.ended).to.deep.equal({ code: 1, signal: null })
    expect(processesWith(dataDir)).to.deep.equal([])
    expect(start.output()).to.not.match(/^ +at .*:\d+/m)
    return start.output()
  }

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

  it('names every setting that is wrong, at once', async () => {
    const output = await refused({ PORT: 'x', LOG_LEVEL: 'loud', ENCRYPTION_KEYS: 'k:c2hvcnQ=', EGRESS_ALLOW: 'a b' })
    for (const name of ['PORT', 'LOG_LEVEL', 'ENCRYPTION_KEYS', 'EGRESS_ALLOW']) {
      expect(output).to.match(new RegExp(`^  - ${name}: `, 'm'))
    }
    expect(output).to.not.include('c2hvcnQ=')
  })

  for (const setting of ['PORT', 'SANDBOX_PORT'] as const) {
    it(`names the port and the setting when ${setting} is taken`, async () => {
      const taken = await listen(Number(settings[setting]))
      const output = await refused()
      expect(output).to.include(`Port ${settings[setting]} is taken by another program.`)
      expect(output).to.include(`the setting ${setting}, for example: ${setting}=`)
      await new Promise((resolve) => taken.close(resolve))
    })
  }

  describe('when its main process is killed (kill -9)', () => {
    before(async () => {
      await begin()
      expect(start.output()).to.not.include(adminKey())
      expect((await api('POST', '/api/v1/connectors', { url: upstream })).status).to.equal(201)
      process.kill(mainPid(), 'SIGKILL')
    })

    it('leaves nothing running: worker and database end by themselves', async () => {
      await untilNothingRuns()
      expect((await start.ended).code).to.not.equal(0)
    })
  })

  describe('when its encryption keys are not those of the database', () => {
    const aside = `${keyFile}.aside`
    before(() => renameSync(keyFile, aside))

    it('says which file is missing, and makes no new one', async () => {
      expect(await refused()).to.include(`${keyFile} is missing`)
      expect(() => readFileSync(keyFile)).to.throw('ENOENT')
    })

    it('says that they are others, and leaves them', async () => {
      const others = `local:${Buffer.alloc(32, 7).toString('base64')}`
      writeFileSync(keyFile, others)
      expect(await refused()).to.include(`The encryption keys in ${keyFile} are not those`)
      expect(readFileSync(keyFile, 'utf8')).to.equal(others)
    })

    after(() => renameSync(aside, keyFile))
  })

  describe('when the whole group is killed (kill -9)', () => {
    before(begin)

    it('has recovered from the time before, with everything that was stored', async () => {
      expect((await api('GET', '/api/v1/connectors')).urls).to.deep.equal([upstream])
    })

    it('leaves nothing running', async () => {
      start.killGroup('SIGKILL')
      await untilNothingRuns()
    })
  })

  describe('when its database is killed (kill -9)', () => {
    before(async () => {
      await begin()
      process.kill(pidOf('postgres -D'), 'SIGKILL')
    })

    it('says so, and ends', async () => {
      expect(await start.ended).to.deep.equal({ code: 1, signal: null })
      expect(start.output()).to.match(/The database has ended by itself.*postgres\.log$/m)
      await untilNothingRuns()
    })
  })

  describe('after all that', () => {
    before(begin)

    it('runs, and has lost nothing', async () => {
      expect((await api('GET', '/api/v1/connectors')).urls).to.deep.equal([upstream])
    })

    it('ends in order at Ctrl-C', async () => {
      start.interrupt()
      expect(await start.ended).to.deep.equal({ code: 0, signal: null })
      expect(processesWith(dataDir)).to.deep.equal([])
    })
  })
})

async function listen(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}
