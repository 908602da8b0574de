import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { ensureCluster } from '../../src/storage/postgres-cluster.ts'
import { choosePostgresUser } from '../../src/storage/postgres-user.ts'
import { silentLog } from './silent-log.ts'
import { until } from './until.ts'

const programs = ['postgres', 'initdb', 'pg_dump', 'pg_restore'] as const

/** A PostgreSQL of this machine, with the programs that an operator has: the npm packages bring the server only. */
export type InstalledPostgres = {
  readonly version: string
  urlOf(database: string): string
  createDatabase(name: string): Promise<void>
  /** What `pg_dump --format=custom` writes, uncompressed. */
  dump(database: string, file: string): void
  /** `pg_restore` into an empty database. */
  restore(file: string, database: string): void
  close(): Promise<void>
}

/** The folder of PostgreSQL's programs; undefined where not all of them are there. */
export function findPostgresPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'postgres'))
  const folders = [
    ...onPath.filter(existsSync).map((program) => dirname(realpathSync(program))),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  return folders.find((folder) => programs.every((program) => existsSync(join(folder, program))))
}

/** Starts a server of its own with the programs in `folder`. */
export async function startInstalledPostgres(folder: string): Promise<InstalledPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'patchbay-installed-'))
  const clusterDir = join(dataDir, 'postgres')
  const user = choosePostgresUser(dataDir)
  await ensureCluster({ dataDir, clusterDir, initdb: join(folder, 'initdb'), user, durable: false, log: silentLog })
  const options = ['-D', clusterDir, '-k', clusterDir, '-c', 'listen_addresses=', '-c', 'fsync=off']
  const { command, args, options: how } = user.command(join(folder, 'postgres'), options, 'INT')
  const child = spawn(command, args, { ...how, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const urlOf = (database: string) =>
    `postgresql://patchbay@localhost/${database}?host=${encodeURIComponent(clusterDir)}`
  const ask = (sql: string) => withConnection(urlOf('postgres'), (client) => client.query(sql))
  await until(
    'PostgreSQL',
    () =>
      ask('SELECT 1').then(
        () => true,
        () => false,
      ),
    30_000,
  )
  const run = (program: string, ...words: string[]): void => {
    const { status, stderr } = spawnSync(join(folder, program), words, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${program}: ${stderr}`)
  }
  return {
    version: (await ask('SHOW server_version')).rows[0].server_version,
    urlOf,
    createDatabase: async (name) => void (await ask(`CREATE DATABASE ${name}`)),
    dump: (database, file) => run('pg_dump', '--format=custom', '--compress=0', `--file=${file}`, urlOf(database)),
    restore: (file, database) =>
      run('pg_restore', '--exit-on-error', '--no-owner', `--dbname=${urlOf(database)}`, file),
    async close() {
      child.kill('SIGINT')
      await ended
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
