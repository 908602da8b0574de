import { randomBytes } from 'node:crypto'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { identifyProcess, isProcessAlive, ownIdentity } from './process-identity.ts'

const fileName = 'instance.json'
const pollMs = 10

const instanceFile = z.object({
  pid: z.int().positive(),
  mark: z.string(),
  url: z.string(),
  databaseUrl: z.string().optional(),
  startedAt: z.iso.datetime(),
})

/** Who runs on a data folder, as `instance.json` in it says (readable by its owner only). */
export type Instance = {
  readonly pid: number
  /** Tells the process apart from a later one with its number. */
  readonly mark: string
  /** Where people reach it. */
  readonly url: string
  /** Of the embedded database, once it runs. Holds no secret. */
  readonly databaseUrl?: string | undefined
  /** ISO 8601 */
  readonly startedAt: string
}

export type InstanceLock = {
  /** Publishes where the embedded database is. */
  setDatabaseUrl(databaseUrl: string): Promise<void>
  release(): Promise<void>
}

export type LockResult =
  | { readonly state: 'acquired'; readonly lock: InstanceLock }
  | { readonly state: 'running'; readonly instance: Instance }

async function readInstance(path: string): Promise<Instance | 'absent' | 'unreadable'> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 'absent'
    throw error
  }
  try {
    return instanceFile.parse(JSON.parse(text))
  } catch {
    return 'unreadable'
  }
}

/** The live instance on a data folder, for commands and workers that want to join it; undefined when none runs. */
export async function findLiveInstance(dataDir: string): Promise<Instance | undefined> {
  const instance = await readInstance(join(dataDir, fileName))
  return typeof instance === 'object' && isProcessAlive(instance) ? instance : undefined
}

/**
 * Makes this process the one instance on a data folder, or says who is. A lock whose process is dead, or whose number
 * is another process's by now, is taken over; of several that try at once, exactly one gets it.
 *
 * Both steps that decide are `link`, which fails when the name exists: a fresh lock is linked to `instance.json`; a
 * dead one may be replaced only by the one that linked `instance.json.after-<dead one>` and then still finds the dead one in place.
 *
 * @param about `url`: where people will reach this instance; `startedAt`: now
 */
export async function acquireInstanceLock(
  dataDir: string,
  about: { readonly url: string; readonly startedAt: Date },
): Promise<LockResult> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, fileName)
  const own: Instance = { ...ownIdentity(), url: about.url, startedAt: about.startedAt.toISOString() }
  const draft = await writeDraft(path, own)
  try {
    for (;;) {
      if (await linkOnce(draft, path)) break
      const held = await readInstance(path)
      if (held === 'absent') continue
      if (typeof held === 'object' && isProcessAlive(held)) return { state: 'running', instance: held }
      if (await succeed(path, held, draft)) break
      await sleep(pollMs)
    }
  } finally {
    await rm(draft, { force: true })
  }
  await sweep(dataDir)
  return {
    state: 'acquired',
    lock: {
      setDatabaseUrl: async (databaseUrl) => rename(await writeDraft(path, { ...own, databaseUrl }), path),
      release: () => rm(path, { force: true }),
    },
  }
}

/** Replaces a dead lock, unless somebody else is about to: then false, and the caller looks again. */
async function succeed(path: string, dead: Instance | 'unreadable', draft: string): Promise<boolean> {
  for (let predecessor = dead; ; ) {
    const claim = `${path}.after-${nameOf(predecessor)}`
    if (await linkOnce(draft, claim)) {
      const isStillDead = isSame(await readInstance(path), dead)
      if (isStillDead) await rename(claim, path)
      else await rm(claim, { force: true })
      return isStillDead
    }
    const claimant = await readInstance(claim)
    // A claimant that died half-way is itself succeeded; a live one is given the moment that it needs.
    if (claimant === 'absent' || claimant === 'unreadable' || isProcessAlive(claimant)) return false
    predecessor = claimant
  }
}

/**
 * Clears away claims on locks that are gone (whoever still holds one finds this lock in place and begins again) and
 * the drafts of processes that were killed.
 */
async function sweep(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    const draftPid = /^instance\.json\.draft-(\d+)-/.exec(name)?.[1]
    const isLeftOver =
      draftPid === undefined ? name.startsWith(`${fileName}.after-`) : identifyProcess(Number(draftPid)) === undefined
    if (isLeftOver) await rm(join(dataDir, name), { force: true })
  }
}

function nameOf(instance: Instance | 'unreadable'): string {
  return instance === 'unreadable' ? instance : `${instance.pid}-${instance.mark.replaceAll(/[^\w-]/g, '_')}`
}

function isSame(a: Instance | 'absent' | 'unreadable', b: Instance | 'unreadable'): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && nameOf(a) === nameOf(b))
}

async function writeDraft(path: string, instance: Instance): Promise<string> {
  const draft = `${path}.draft-${process.pid}-${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${JSON.stringify(instance, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  return draft
}

async function linkOnce(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
