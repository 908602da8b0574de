import { type App, createApp } from '../app.ts'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { requireKeys } from '../require-keys.ts'
import { findDatabase } from '../storage/find-database.ts'

/**
 * Runs a command against the database of this installation, then closes it.
 *
 * @throws Error with a sentence for people when there is no database
 */
export async function withApp<T>(use: (app: App) => Promise<T>): Promise<T> {
  const settings = readSettings(process.env)
  const databaseUrl = await findDatabase(settings.DATABASE_URL, settings.DATA_DIR)
  if (databaseUrl === null) {
    throw new Error('No database found. Start Patchbay first (npm start), or set DATABASE_URL.')
  }
  await requireKeys(databaseUrl, settings)
  const app = createApp({ settings, databaseUrl, log: createLogger('silent'), env: process.env })
  try {
    return await use(app)
  } finally {
    await app.close()
  }
}
