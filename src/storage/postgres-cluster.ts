import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'
import { useOwnServer } from './postgres-binaries.ts'
import type { PostgresUser } from './postgres-user.ts'

const unfinishedPrefix = 'postgres.new-'

export type ClusterOptions = {
  readonly dataDir: string
  /** Where the cluster belongs: `postgres/` in the data folder. */
  readonly clusterDir: string
  readonly initdb: string
  readonly user: PostgresUser
  readonly durable: boolean
  readonly log: Pick<Logger, 'info'>
}

/**
 * Makes PostgreSQL's data folder where there is none. It is made under another name and renamed when complete, so
 * an interrupted first start leaves nothing that looks like a database.
 *
 * @throws AppError `storage_unavailable`
 */
export async function ensureCluster(options: ClusterOptions): Promise<void> {
  const { dataDir, clusterDir, user, log } = options
  // PostgreSQL has to get through to its own folder when it runs as somebody else; nothing can be listed.
  if (user.kind === 'unprivileged') await chmod(dataDir, 0o711)
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(unfinishedPrefix)) await rm(join(dataDir, name), { recursive: true, force: true })
  }
  if (await exists(join(clusterDir, 'PG_VERSION'))) return user.own(clusterDir)

  log.info('making a new database')
  const unfinished = await mkdtemp(join(dataDir, unfinishedPrefix))
  user.own(unfinished)
  const sync = options.durable ? [] : ['--no-sync']
  // Whoever can open the socket is let in: it lies in a folder that only its owner can enter.
  const access = ['-U', 'patchbay', '-A', 'trust']
  const args = ['-D', unfinished, ...access, '-E', 'UTF8', '--locale=C', '--no-instructions', ...sync]
  await run(user, options.initdb, args)
  await rename(unfinished, clusterDir)
}

async function run(user: PostgresUser, program: string, programArgs: readonly string[]): Promise<void> {
  const { command, args, options } = user.command(program, programArgs, 'KILL')
  const child = spawn(command, args, { ...options, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  const outcome = await once(child, 'close').catch((error: Error) => [error.message])
  if (outcome[0] === 0) return
  throw new AppError(
    'storage_unavailable',
    `The embedded database cannot be made (initdb: ${outcome[0]}).\n${complaint.trim()}\n${useOwnServer}`,
  )
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
