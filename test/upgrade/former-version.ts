import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../../src/config/package-root.ts'

const execute = promisify(execFile)

/** Before the first tag: the commit at which the main job was done, connecting and keeping connected over REST and MCP. */
const mainJob = 'e80d8e0'

export type FormerVersion = {
  readonly commit: string
  readonly subject: string
  /** How many commits ago. */
  readonly commitsAgo: number
  /** A checkout of it, with its own dependencies, built. */
  readonly folder: string
}

/** The commit to upgrade from: `UPGRADE_FROM`, the last tag, or the one above. Null where git does not know it. */
export async function findFormerVersion(): Promise<Omit<FormerVersion, 'folder'> | null> {
  const git = async (...args: string[]) => (await execute('git', args, { cwd: packageRoot() })).stdout.trim()
  try {
    const lastTag = await git('describe', '--tags', '--abbrev=0', 'HEAD^').catch(() => '')
    const name = process.env.UPGRADE_FROM || lastTag || mainJob
    const commit = await git('rev-parse', '--short', `${name}^{commit}`)
    return {
      commit,
      subject: await git('log', '-1', '--format=%s', commit),
      commitsAgo: Number(await git('rev-list', '--count', `${commit}..HEAD`)),
    }
  } catch {
    return null
  }
}

/** Checks it out beside the others of this machine, installs and builds it; the next run finds it there. */
export async function buildFormerVersion(commit: string): Promise<string> {
  const folder = join(tmpdir(), `patchbay-former-${commit}`)
  if (existsSync(join(folder, 'dist', 'src', 'server.js'))) return folder
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const archive = 'git -C "$0" archive "$1" | tar -x -C "$2"'
  await execute('sh', ['-c', archive, packageRoot(), commit, folder])
  await execute(process.execPath, ['scripts/setup.mjs'], { cwd: folder, maxBuffer: 64 * 1024 * 1024 })
  return folder
}
