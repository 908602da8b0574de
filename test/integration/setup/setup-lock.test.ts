import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'

type WithSetupLock = <T>(work: () => Promise<T>, path: string) => Promise<T>

describe('withSetupLock', () => {
  let withSetupLock: WithSetupLock
  let folder: string
  let path: string

  before(async () => {
    const file = join(packageRoot(), 'scripts', 'setup', 'lock.mjs')
    withSetupLock = (await import(pathToFileURL(file).href)).withSetupLock
  })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchbay-setup-'))
    path = join(folder, 'lock')
  })

  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** Runs `count` set-ups at once and returns how many of them were ever at work together. */
  async function raceOf(count: number, lock: WithSetupLock): Promise<number> {
    let now = 0
    let most = 0
    const work = async (): Promise<void> => {
      now += 1
      most = Math.max(most, now)
      // Long enough for another one to come in, were it let.
      await sleep(5)
      now -= 1
    }
    await Promise.all(Array.from({ length: count }, () => lock(work, path)))
    return most
  }

  it('lets set-ups take turns, and leaves nothing behind', async () => {
    expect(await raceOf(4, withSetupLock)).to.equal(1)
    expect(await readdir(folder)).to.deep.equal([])
    // Negative control: without the lock they meet.
    expect(await raceOf(4, (work) => work())).to.equal(4)
  })

  it('is given back when the work fails', async () => {
    const failure = await withSetupLock(() => Promise.reject(new Error('broken')), path).catch((error) => error)
    expect(failure.message).to.equal('broken')
    expect(await withSetupLock(async () => 'next', path)).to.equal('next')
  })

  it('takes over from a process that was killed, one at a time', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    await writeFile(path, `${pid} of-a-dead-process`)
    expect(await raceOf(4, withSetupLock)).to.equal(1)
  })

  it('takes over from a lock that nobody touches any more, though its number is somebody’s', async () => {
    await writeFile(path, `${process.pid} of-an-earlier-process`)
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(path, longAgo, longAgo)
    expect(await withSetupLock(async () => 'in', path)).to.equal('in')
  })
})
