import pg from 'pg'
import { AppError } from '../kernel/app-error.ts'

const connectTimeoutMs = 10_000
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const missingDatabase = '3D000'
const duplicateDatabase = '42P04'
const uniqueViolation = '23505'

/** Runs `work` on a connection of its own. */
export async function withConnection<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectTimeoutMs })
  // A connection that breaks while idle is reported by the next query on it; without this it would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The name of the database that a URL points at, and the URL of the server's maintenance database. */
export function splitDatabaseUrl(databaseUrl: string): { name: string; maintenanceUrl: string } {
  const url = new URL(databaseUrl)
  const name = decodeURIComponent(url.pathname.slice(1))
  url.pathname = '/postgres'
  return { name, maintenanceUrl: url.href }
}

/** The SQLSTATE of a failure, where it came from PostgreSQL. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/**
 * Makes sure that the database exists, creating it where it is missing and we may.
 *
 * @throws AppError `storage_unavailable`: the server cannot be reached, or the database is missing and cannot be made
 */
export async function ensureDatabase(databaseUrl: string): Promise<void> {
  const { name, maintenanceUrl } = splitDatabaseUrl(databaseUrl)
  try {
    await withConnection(databaseUrl, async () => {})
    return
  } catch (cause) {
    if (sqlState(cause) !== missingDatabase) {
      // The cause names the host, never the password.
      const reason = cause instanceof Error && cause.message !== '' ? cause.message : 'no answer'
      throw new AppError('storage_unavailable', `PostgreSQL cannot be reached: ${reason}. Check DATABASE_URL.`, {
        cause,
      })
    }
  }
  try {
    await withConnection(maintenanceUrl, (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`))
  } catch (cause) {
    // Somebody else made it in the same moment.
    if ([duplicateDatabase, uniqueViolation].includes(sqlState(cause) ?? '')) return
    throw new AppError(
      'storage_unavailable',
      `The database "${name}" does not exist and cannot be made. Create it: CREATE DATABASE ${pg.escapeIdentifier(name)};`,
      { cause },
    )
  }
}
