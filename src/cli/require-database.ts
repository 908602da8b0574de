import type { Settings } from '../config/settings.ts'
import type { Secret } from '../kernel/secret.ts'
import { findDatabase } from '../storage/find-database.ts'

/**
 * The database of this installation, for a command that works beside a running Patchbay.
 *
 * @throws Error with a sentence for people when there is none
 */
export async function requireDatabase({ DATABASE_URL, DATA_DIR }: Settings): Promise<Secret> {
  const databaseUrl = await findDatabase(DATABASE_URL, DATA_DIR)
  if (databaseUrl !== null) return databaseUrl
  throw new Error('No database found. Start Patchbay first (npm start), or set DATABASE_URL.')
}
