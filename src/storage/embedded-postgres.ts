import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../kernel/app-error.ts'
import type { Logger } from '../log/logger.ts'
import { findPostgresBinaries, useOwnServer } from './postgres-binaries.ts'
import { ensureCluster } from './postgres-cluster.ts'
import { choosePostgresUser, type PostgresUser } from './postgres-user.ts'
import { ownerSetting, readPostmaster, socketFolderPrefix, stopOrphan, stopPostmaster } from './postmaster.ts'
import { identifyProcess, ownIdentity } from './process-identity.ts'

// A unix socket's address holds 104 bytes on macOS and 108 on Linux, and PostgreSQL adds `/.s.PGSQL.5432.lock`.
const maxSocketFolderBytes = 80
const port = 5432
const pollMs = 10
const readyTimeoutMs = 60_000
const maxConnections = 200

export type EmbeddedPostgresOptions = {
  /** Absolute or relative; made when missing. The database lies in `postgres/` below it. */
  readonly dataDir: string
  /** False for tests only: gives up safety against a crash of the machine for speed. */
  readonly durable?: boolean
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Where the system's `unshare`, `setpriv` and `chown` are looked for. */
  readonly searchPath?: string
}

export type EmbeddedPostgres = {
  /** Of database `patchbay`, which does not exist yet on the first start: `migrate` makes it. Holds no secret. */
  readonly url: string
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<void>
  /** Fast shutdown: open sessions are cut off, everything is written. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Runs a real PostgreSQL of our own on a unix socket. It stands in its own process group, so Ctrl-C in the terminal
 * does not reach it and the owner can stop it last. A server that a killed owner left behind is stopped first.
 *
 * To be called by the holder of the instance lock.
 *
 * @throws AppError `storage_unavailable` with a message for people
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log, durable = true } = options
  const binaries = await findPostgresBinaries()
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  const dataDir = await realpath(options.dataDir)
  const clusterDir = join(dataDir, 'postgres')
  const logFile = join(dataDir, 'postgres.log')

  if (await stopOrphan(clusterDir)) log.info('stopped a database server that a killed run left behind')
  const user = choosePostgresUser(dataDir, options.searchPath)
  await ensureCluster({ dataDir, clusterDir, initdb: binaries.initdb, user, durable, log })
  const socketFolder = await makeSocketFolder(dataDir, user)

  const settings = [
    'listen_addresses=',
    'unix_socket_permissions=0700',
    `max_connections=${maxConnections}`,
    'shared_buffers=64MB',
    // The log of a database must not become a second store of what is in it.
    'log_min_error_statement=panic',
    'log_error_verbosity=terse',
    ownerSetting(ownIdentity()),
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ]
  const args = ['-D', clusterDir, '-k', socketFolder, '-p', String(port), ...settings.flatMap((line) => ['-c', line])]
  const { command, args: wrapped, options: spawnOptions } = user.command(binaries.postgres, args, 'INT')
  const output = openSync(logFile, 'w', 0o600)
  const child = spawn(command, wrapped, {
    ...spawnOptions,
    cwd: '/',
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  // A server that is left alone must not keep a finished program waiting.
  child.unref()
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const removeSocketFolder = () => rm(socketFolder, { recursive: true, force: true })
  const pid = await untilReady(child, clusterDir, logFile).catch(async (error: unknown) => {
    await removeSocketFolder()
    throw error
  })

  const identity = identifyProcess(pid)
  const stopAtExit = (): void => void child.kill('SIGINT')
  process.once('exit', stopAtExit)
  let stopping: Promise<void> | undefined
  return {
    url: `postgresql://patchbay@localhost:${port}/patchbay?host=${encodeURIComponent(socketFolder)}`,
    pid,
    exited,
    stop: () => {
      stopping ??= (async () => {
        if (identity !== undefined) await stopPostmaster(identity)
        process.removeListener('exit', stopAtExit)
        await removeSocketFolder()
      })()
      return stopping
    },
  }
}

async function makeSocketFolder(dataDir: string, user: PostgresUser): Promise<string> {
  const preferred = join(dataDir, 'run')
  const isShort = Buffer.byteLength(preferred) <= maxSocketFolderBytes
  if (isShort) await mkdir(preferred, { recursive: true, mode: 0o700 })
  const folder = isShort ? preferred : await mkdtemp(join(tmpdir(), socketFolderPrefix))
  if (Buffer.byteLength(folder) > maxSocketFolderBytes) {
    throw new AppError(
      'storage_unavailable',
      `The path ${folder} is too long for a socket. Choose a shorter DATA_DIR or TMPDIR. ${useOwnServer}`,
    )
  }
  user.own(folder)
  return folder
}

async function untilReady(child: ChildProcess, clusterDir: string, logFile: string): Promise<number> {
  let failure: string | undefined
  child.once('error', (error) => {
    failure = error.message
  })
  child.once('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? `exit code ${code}`}`
  })
  for (const end = performance.now() + readyTimeoutMs; failure === undefined; await sleep(pollMs)) {
    const postmaster = readPostmaster(clusterDir)
    if (postmaster?.isReady === true && postmaster.pid === child.pid) return postmaster.pid
    if (performance.now() > end) {
      child.kill('SIGQUIT')
      failure = `it was not ready after ${readyTimeoutMs / 1000} seconds`
    }
  }
  const tail = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-5).join('\n')
  throw new AppError(
    'storage_unavailable',
    `The embedded PostgreSQL did not start: ${failure}.\n${tail}\n(more in ${logFile})\n${useOwnServer}`,
  )
}
