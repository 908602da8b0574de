import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../kernel/app-error.ts'
import { identifyProcess, isProcessAlive, type ProcessIdentity, readCommandLine } from './process-identity.ts'

const pollMs = 20
const stopTimeoutMs = 15_000
export const socketFolderPrefix = 'patchbay-'

/** What PostgreSQL says about itself in `postmaster.pid` of its data folder. */
export type Postmaster = {
  readonly pid: number
  readonly socketFolder: string
  readonly isReady: boolean
}

/** Reads `postmaster.pid` (one fact a line: pid, data folder, start, port, socket folder, address, memory, status). */
export function readPostmaster(clusterDir: string): Postmaster | undefined {
  try {
    const lines = readFileSync(join(clusterDir, 'postmaster.pid'), 'utf8').split('\n')
    return {
      pid: Number(lines[0]),
      socketFolder: lines[4] ?? '',
      isReady: lines[7]?.trim() === 'ready',
    }
  } catch {
    return undefined
  }
}

/** The setting by which a server carries the name of its owner on its command line. */
export function ownerSetting(owner: ProcessIdentity): string {
  return `patchbay.owner=${owner.pid}@${owner.mark.replaceAll(' ', '_')}`
}

function ownerOf(commandLine: string): ProcessIdentity | undefined {
  const match = /patchbay\.owner=(\d+)@(\S+)/.exec(commandLine)
  const pid = match?.[1]
  const mark = match?.[2]
  if (pid === undefined || mark === undefined) return undefined
  const now = identifyProcess(Number(pid))
  return now !== undefined && now.mark.replaceAll(' ', '_') === mark ? now : { pid: Number(pid), mark }
}

/** Waits until a process has gone; false when it is still there after `timeoutMs`. */
async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(pollMs)) {
    if (!isProcessAlive(identity)) return true
  }
  return !isProcessAlive(identity)
}

/** Fast shutdown (SIGINT: sessions are cut off, all is written), and the immediate one when that hangs. */
export async function stopPostmaster(identity: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(identity.pid, signal)
    } catch {
      return
    }
    if (await waitUntilGone(identity, stopTimeoutMs)) return
  }
}

/**
 * Deals with a server that an earlier owner left behind in this data folder: stops it when its owner is dead. Nothing
 * but a server on exactly this folder is touched, since the number in `postmaster.pid` may be another process's by now.
 *
 * @returns true when a server had to be stopped
 * @throws AppError `storage_unavailable` when the server's owner lives, or when the server is not one of ours
 */
export async function stopOrphan(clusterDir: string): Promise<boolean> {
  const left = readPostmaster(clusterDir)
  if (left === undefined) return false
  const server = identifyProcess(left.pid)
  const commandLine = server === undefined ? undefined : readCommandLine(left.pid)
  const isOnThisFolder = commandLine !== undefined && `${commandLine} `.includes(` -D ${clusterDir} `)
  if (server !== undefined && isOnThisFolder) {
    const owner = ownerOf(commandLine)
    if (owner === undefined) {
      throw new AppError(
        'storage_unavailable',
        `A PostgreSQL server that Patchbay did not start (process ${left.pid}) uses ${clusterDir}. Stop it and try again.`,
      )
    }
    if (isProcessAlive(owner)) {
      throw new AppError(
        'storage_unavailable',
        `The database in ${clusterDir} is in use by process ${owner.pid}. Stop it, or choose another DATA_DIR.`,
      )
    }
    await stopPostmaster(server)
  }
  // The machine went down and the number is another process's now: PostgreSQL would take that one for a live server.
  if (server !== undefined && !isOnThisFolder) rmSync(join(clusterDir, 'postmaster.pid'), { force: true })
  // Its own socket folder, where it had to be a temporary one.
  if (dirname(left.socketFolder) === tmpdir() && basename(left.socketFolder).startsWith(socketFolderPrefix)) {
    rmSync(left.socketFolder, { recursive: true, force: true })
  }
  return isOnThisFolder
}
