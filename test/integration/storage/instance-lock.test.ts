import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { acquireInstanceLock, findLiveInstance } from '../../../src/storage/instance-lock.ts'
import { identifyProcess } from '../../../src/storage/process-identity.ts'
import { type Program, runProgram } from '../../support/program.ts'

const about = { url: 'http://localhost:8333', startedAt: new Date('2026-01-02T03:04:05Z') }

describe('acquireInstanceLock', function () {
  this.timeout(60_000)
  let dataDir: string
  const programs: Program[] = []

  function contender(): Program {
    const program = runProgram('take-instance-lock', [dataDir])
    programs.push(program)
    return program
  }

  /** Lets programs try for the lock at the same moment. */
  async function race(contenders: readonly Program[]): Promise<{ state: string; instance?: { pid: number } }[]> {
    for (const program of contenders) await program.readLine()
    for (const program of contenders) program.child.stdin.write('go\n')
    return Promise.all(contenders.map(async (program) => JSON.parse(await program.readLine())))
  }

  async function leaveLockOfDeadProcess(): Promise<void> {
    const program = contender()
    expect((await race([program]))[0]?.state).to.equal('acquired')
    await program.kill('SIGKILL')
  }

  function expectOneWinner(outcomes: { state: string; instance?: { pid: number } }[], of: readonly Program[]): void {
    const winners = of.filter((_, index) => outcomes[index]?.state === 'acquired')
    expect(winners, 'winners').to.have.length(1)
    for (const outcome of outcomes) {
      if (outcome.state === 'running') expect(outcome.instance?.pid).to.equal(winners[0]?.child.pid)
    }
  }

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'patchbay-lock-'))
  })

  afterEach(async () => {
    for (const program of programs.splice(0)) await program.kill('SIGKILL')
    await rm(dataDir, { recursive: true, force: true })
  })

  it('publishes who runs, where, and with which database, to its owner only', async () => {
    const result = await acquireInstanceLock(dataDir, about)
    if (result.state !== 'acquired') throw new Error('not acquired')
    await result.lock.setDatabaseUrl('postgresql://patchbay@localhost/patchbay')
    expect(await findLiveInstance(dataDir)).to.deep.include({
      pid: process.pid,
      url: about.url,
      databaseUrl: 'postgresql://patchbay@localhost/patchbay',
      startedAt: '2026-01-02T03:04:05.000Z',
    })
    expect((await stat(join(dataDir, 'instance.json'))).mode & 0o777).to.equal(0o600)
    await result.lock.release()
    expect(await findLiveInstance(dataDir)).to.equal(undefined)
    expect(await readdir(dataDir)).to.deep.equal([])
  })

  it('tells a second start who runs and where, and harms nothing', async () => {
    const first = contender()
    await race([first])
    const before = await readFile(join(dataDir, 'instance.json'), 'utf8')
    const result = await acquireInstanceLock(dataDir, about)
    expect(result).to.deep.include({ state: 'running' })
    if (result.state === 'running') {
      expect(result.instance).to.deep.include({
        pid: first.child.pid,
        url: `http://localhost/${first.child.pid}`,
      })
    }
    expect(await readFile(join(dataDir, 'instance.json'), 'utf8')).to.equal(before)
  })

  it('takes over from a process that is dead', async () => {
    await leaveLockOfDeadProcess()
    expect(await findLiveInstance(dataDir)).to.equal(undefined)
    expect((await acquireInstanceLock(dataDir, about)).state).to.equal('acquired')
    expect(await readdir(dataDir)).to.deep.equal(['instance.json'])
  })

  it('takes over when the number belongs to another process by now', async () => {
    const stranger = { pid: process.ppid, url: 'http://old', startedAt: '2026-01-01T00:00:00Z' }
    const path = join(dataDir, 'instance.json')
    await writeFile(path, JSON.stringify({ ...stranger, mark: 'of an earlier process' }))
    expect((await acquireInstanceLock(dataDir, about)).state).to.equal('acquired')

    // Negative control: the same file with the true mark is respected.
    await writeFile(path, JSON.stringify({ ...stranger, mark: identifyProcess(process.ppid)?.mark }))
    expect((await acquireInstanceLock(dataDir, about)).state).to.equal('running')
  })

  it('takes over a lock that cannot be read', async () => {
    await writeFile(join(dataDir, 'instance.json'), '')
    expect((await acquireInstanceLock(dataDir, about)).state).to.equal('acquired')
  })

  it('takes over when an earlier take-over was interrupted half-way', async () => {
    await leaveLockOfDeadProcess()
    const dead = JSON.parse(await readFile(join(dataDir, 'instance.json'), 'utf8'))
    const name = `instance.json.after-${dead.pid}-${dead.mark.replaceAll(/[^\w-]/g, '_')}`
    // Its claimant is dead as well, and has another number.
    await writeFile(join(dataDir, name), JSON.stringify({ ...dead, pid: 2 ** 22 + 1 }))
    expect((await acquireInstanceLock(dataDir, about)).state).to.equal('acquired')
    expect(await readdir(dataDir)).to.deep.equal(['instance.json'])
  })

  it('goes to exactly one of several that start at once', async () => {
    const contenders = Array.from({ length: 4 }, contender)
    expectOneWinner(await race(contenders), contenders)
  })

  it('goes to exactly one of several that find a dead lock at once', async () => {
    await leaveLockOfDeadProcess()
    const contenders = Array.from({ length: 4 }, contender)
    expectOneWinner(await race(contenders), contenders)
  })
})
