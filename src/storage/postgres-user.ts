import { spawnSync } from 'node:child_process'
import { lstatSync, statSync } from 'node:fs'
import { AppError } from '../kernel/app-error.ts'

const defaultSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const nobody = 65534
const namespaceArguments = ['--user', '--map-user=1000', '--map-group=1000']

/** A command line with everything that `spawn` needs to run it as a user PostgreSQL accepts. */
export type PostgresCommand = {
  readonly command: string
  readonly args: readonly string[]
  readonly options: { readonly env: Record<string, string>; readonly uid?: number; readonly gid?: number }
}

export type PostgresUser = {
  /** How PostgreSQL's programs come to run as an accepted user, for the log. */
  readonly kind: 'self' | 'namespace' | 'unprivileged'
  /** Wraps a program of PostgreSQL; `signal` is what it gets when its owner dies, where the system can do that. */
  command(program: string, args: readonly string[], signal: 'INT' | 'KILL'): PostgresCommand
  /** Gives a folder and all inside to the user that PostgreSQL runs as, where it belongs to another one. */
  own(folder: string): void
}

function canRun(command: string, args: readonly string[], searchPath: string): boolean {
  return spawnSync(command, args, { env: { PATH: searchPath }, stdio: 'ignore' }).status === 0
}

function giveTo(folder: string, uid: number, gid: number, searchPath: string): void {
  if (lstatSync(folder).uid === uid) return
  const result = spawnSync('chown', ['-R', '-P', `${uid}:${gid}`, folder], {
    env: { PATH: searchPath },
    encoding: 'utf8',
  })
  if (result.status !== 0) {
    throw new AppError('storage_unavailable', `${folder} cannot be given to uid ${uid}: ${result.stderr}`)
  }
}

/**
 * Finds a way to run PostgreSQL, which refuses to run as root. Anybody else runs it as themselves. Root runs it in a
 * user namespace, which shows it an ordinary user while the files stay root's; where that is refused, as in most
 * containers, under an unprivileged uid: the one that owns the data folder, or else `nobody`.
 *
 * @param dataDir an existing folder
 * @param searchPath where `unshare`, `setpriv` and `chown` are looked for
 */
export function choosePostgresUser(dataDir: string, searchPath = defaultSearchPath): PostgresUser {
  const env = { PATH: searchPath, LC_ALL: 'C', TZ: 'UTC' }
  // So that a server never outlives an owner that was killed outright. Linux only; elsewhere the next start stops it.
  const hasDeathSignal = canRun('setpriv', ['--pdeathsig', 'KILL', 'true'], searchPath)
  const tied = (program: string, args: readonly string[], signal: string): readonly [string, ...string[]] =>
    hasDeathSignal ? ['setpriv', '--pdeathsig', signal, '--', program, ...args] : [program, ...args]

  if (process.getuid?.() !== 0) {
    return {
      kind: 'self',
      command: (program, args, signal) => {
        const [command, ...rest] = tied(program, args, signal)
        return { command, args: rest, options: { env } }
      },
      own: () => {},
    }
  }
  if (canRun('unshare', [...namespaceArguments, 'true'], searchPath)) {
    return {
      kind: 'namespace',
      command: (program, args, signal) => ({
        command: 'unshare',
        args: [...namespaceArguments, '--', ...tied(program, args, signal)],
        options: { env },
      }),
      own: (folder) => giveTo(folder, 0, 0, searchPath),
    }
  }
  const owner = statSync(dataDir)
  const uid = owner.uid === 0 ? nobody : owner.uid
  const gid = owner.uid === 0 ? nobody : owner.gid
  return {
    kind: 'unprivileged',
    command: (program, args, signal) => {
      const [command, ...rest] = tied(program, args, signal)
      return { command, args: rest, options: { env, uid, gid } }
    },
    own: (folder) => giveTo(folder, uid, gid, searchPath),
  }
}
