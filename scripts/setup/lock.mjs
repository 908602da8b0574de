import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, say } from './run.mjs'

const lockFile = join(root, '.setup-lock')
const beatMs = 1000
const staleMs = 20_000
const pollMs = 100

/** Runs `work` while no other process sets up this checkout. */
export async function withSetupLock(work, path = lockFile) {
  const token = `${process.pid} ${randomUUID()}`
  await acquire(token, path)
  // The file is touched while its holder lives: one that is not was left by a process that was killed.
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), beatMs)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await rm(path, { force: true })
  }
}

async function acquire(token, path) {
  for (let hasSaid = false; ; await sleep(pollMs)) {
    try {
      await writeFile(path, token, { flag: 'wx' })
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = await readFile(path, 'utf8').catch(() => undefined)
    if (holder === undefined) continue
    if (await isStale(holder, path)) await removeStale(holder, path)
    else if (!hasSaid && holder !== '') {
      say(`waiting for another set-up in this folder (process ${Number.parseInt(holder, 10)}) ...`)
      hasSaid = true
    }
  }
}

async function isStale(holder, path) {
  const facts = await stat(path).catch(() => undefined)
  if (facts === undefined) return false
  if (Date.now() - facts.mtimeMs > staleMs) return true
  try {
    process.kill(Number.parseInt(holder, 10), 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** Moves the file away before looking at it again, since another process may have replaced it a moment ago. */
async function removeStale(holder, path) {
  const moved = `${path}-${randomUUID()}`
  try {
    await rename(path, moved)
  } catch {
    return
  }
  if ((await readFile(moved, 'utf8')) === holder) await rm(moved)
  else await rename(moved, path)
}
