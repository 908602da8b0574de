import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { AppError } from '../../../src/kernel/app-error.ts'
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../../src/storage/embedded-postgres.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { findPostgresBinaries } from '../../../src/storage/postgres-binaries.ts'
import { identifyProcess } from '../../../src/storage/process-identity.ts'
import { type Program, runProgram } from '../../support/program.ts'
import { silentLog } from '../../support/silent-log.ts'
import { until } from '../../support/until.ts'

const toolFolders = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']

function maintenance(url: string): string {
  return url.replace('/patchbay?', '/postgres?')
}

function askOne(url: string): Promise<unknown> {
  return withConnection(maintenance(url), async (client) => (await client.query('SELECT 1 AS one')).rows[0].one)
}

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(outcome instanceof AppError)) throw new Error(`expected an AppError, got ${String(outcome)}`)
  return outcome
}

describe('startEmbeddedPostgres', function () {
  this.timeout(60_000)
  let folder: string
  let dataDir: string
  const servers: EmbeddedPostgres[] = []
  const programs: Program[] = []
  /** Servers of owners that get killed: without their owner they may live on in the folder that is to go. */
  const orphans: number[] = []

  async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir, durable: false, log: silentLog, ...options })
    servers.push(server)
    return server
  }

  async function startOwner(searchPath?: string): Promise<{ owner: Program; url: string; pid: number }> {
    const owner = runProgram('own-postgres', searchPath === undefined ? [dataDir] : [dataDir, searchPath])
    programs.push(owner)
    const facts = JSON.parse(await owner.readLine())
    orphans.push(facts.pid)
    return { owner, ...facts }
  }

  /** A search path with these of the system's tools only, so that the others seem to be missing. */
  async function onlyTools(...tools: string[]): Promise<string> {
    const path = await mkdtemp(join(folder, 'tools-'))
    await chmod(path, 0o755)
    for (const tool of tools) {
      for (const place of toolFolders) {
        const isThere = await stat(join(place, tool)).catch(() => undefined)
        if (isThere !== undefined) await symlink(join(place, tool), join(path, tool)).catch(() => {})
      }
    }
    return path
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchbay pg '))
    // Others may pass through, for the runs under another uid.
    await chmod(folder, 0o755)
    dataDir = join(folder, 'data')
  })

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.kill('SIGKILL')
    for (const server of servers.splice(0)) await server.stop()
    for (const pid of orphans.splice(0)) {
      if (identifyProcess(pid) !== undefined) process.kill(pid, 'SIGQUIT')
      await until('the orphan to end', () => identifyProcess(pid) === undefined)
    }
    await rm(folder, { recursive: true, force: true })
  })

  it('serves, keeps its data over a restart, and leaves nothing running', async () => {
    const first = await start({ durable: true })
    await withConnection(maintenance(first.url), (client) => client.query('CREATE TABLE kept (id int)'))
    await first.stop()
    await first.exited
    expect(identifyProcess(first.pid)).to.equal(undefined)
    const second = await start({ durable: true })
    await withConnection(maintenance(second.url), (client) => client.query('SELECT * FROM kept'))
  })

  it('hears notifications', async () => {
    const { url } = await start()
    await withConnection(maintenance(url), async (listener) => {
      const heard: (string | undefined)[] = []
      listener.on('notification', ({ payload }) => heard.push(payload))
      await listener.query('LISTEN news')
      await withConnection(maintenance(url), (client) => client.query(`NOTIFY news, 'hello'`))
      await until('the notification', () => heard.length > 0)
      expect(heard).to.deep.equal(['hello'])
    })
  })

  it('lets nobody but its owner near the data and the socket', async () => {
    await start()
    for (const name of ['postgres', 'run']) expect((await stat(join(dataDir, name))).mode & 0o077, name).to.equal(0)
    expect((await stat(join(dataDir, 'postgres.log'))).mode & 0o077).to.equal(0)
  })

  it('moves the socket to a short folder when the data folder’s name is long, and removes it', async () => {
    dataDir = join(folder, 'd'.repeat(120))
    const server = await start()
    const socketFolder = new URL(server.url).searchParams.get('host') ?? ''
    expect(dirname(socketFolder)).to.equal(tmpdir())
    expect(await askOne(server.url)).to.equal(1)
    await server.stop()
    expect(await stat(socketFolder).catch(() => undefined)).to.equal(undefined)
  })

  it('stands in a process group of its own, so Ctrl-C in the terminal passes it by', async () => {
    const { pid } = await start()
    // Signal 0 asks whether such a group exists.
    expect(() => process.kill(-pid, 0)).not.to.throw()
  })

  it('begins again after an interrupted first start', async () => {
    await mkdir(join(dataDir, 'postgres.new-abc'), { recursive: true })
    await writeFile(join(dataDir, 'postgres.new-abc', 'PG_VERSION'), '18\n')
    const { url } = await start()
    expect(await askOne(url)).to.equal(1)
    expect((await readdir(dataDir)).sort()).to.deep.equal(['postgres', 'postgres.log', 'run'])
  })

  it('refuses a data folder whose server belongs to a live process, and leaves that one alone', async () => {
    const { url, owner } = await startOwner()
    const failure = await failureOf(start())
    expect(failure.message).to.contain(`in use by process ${owner.child.pid}`)
    expect(await askOne(url)).to.equal(1)
  })

  describe('when its owner was killed', () => {
    it('ends by itself, where the system tells it', async function () {
      if (process.platform !== 'linux') this.skip()
      const { owner, pid } = await startOwner()
      await owner.kill('SIGKILL')
      await until('the server to end', () => identifyProcess(pid) === undefined)
    })

    it('is stopped by the next start, and nothing committed is lost', async () => {
      const { owner, url, pid } = await startOwner(await onlyTools('unshare', 'chown', 'true'))
      await withConnection(maintenance(url), (client) => client.query('CREATE TABLE kept (id int)'))
      await owner.kill('SIGKILL')
      expect(identifyProcess(pid), 'the orphan, without a death signal').not.to.equal(undefined)
      const next = await start()
      expect(identifyProcess(pid)).to.equal(undefined)
      await withConnection(maintenance(next.url), (client) => client.query('SELECT * FROM kept'))
    })

    it('leaves another process alone that was given the number of the dead server', async () => {
      const first = await start()
      await first.stop()
      // The machine went down, and this very test runs under the number now.
      const lines = [process.pid, join(dataDir, 'postgres'), 1, 5432, join(dataDir, 'run'), '', '', 'ready', '']
      await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), lines.join('\n'))
      const next = await start()
      expect(await askOne(next.url)).to.equal(1)
    })
  })

  describe('when run by root', () => {
    before(function () {
      if (process.getuid?.() !== 0) this.skip()
    })

    it('runs without a user namespace too, under an unprivileged uid', async () => {
      const { url } = await start({ searchPath: await onlyTools('setpriv', 'chown', 'true') })
      expect(await askOne(url)).to.equal(1)
      expect((await stat(join(dataDir, 'postgres'))).uid).not.to.equal(0)
    })

    it('takes its files back when a namespace can be had again', async () => {
      const first = await start({ searchPath: await onlyTools('chown') })
      await first.stop()
      const { url } = await start()
      expect(await askOne(url)).to.equal(1)
      expect((await stat(join(dataDir, 'postgres'))).uid).to.equal(0)
    })

    it('names DATABASE_URL when neither works', async () => {
      const closed = join(folder, 'closed')
      await mkdir(closed, { mode: 0o700 })
      dataDir = join(closed, 'data')
      const failure = await failureOf(start({ searchPath: await onlyTools('chown') }))
      expect(failure.message).to.contain('DATABASE_URL')
    })
  })

  it('names DATABASE_URL where there are no programs for the system', async () => {
    expect((await failureOf(findPostgresBinaries('sunos', 'sparc'))).message)
      .to.contain('sunos-sparc')
      .and.to.contain('DATABASE_URL')
    expect(await findPostgresBinaries(), 'this system').to.have.keys(['initdb', 'postgres'])
  })

  it('shows the last words of a server that does not start', async () => {
    const first = await start()
    await first.stop()
    await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '9.6\n')
    const failure = await failureOf(start())
    expect(failure.message).to.contain('incompatible').and.to.contain('DATABASE_URL')
  })
})
