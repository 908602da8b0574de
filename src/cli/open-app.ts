import { type App, createApp } from '../app.ts'
import { readSettings } from '../config/settings.ts'
import { createLogger } from '../log/logger.ts'
import { requireKeys } from '../process/require-keys.ts'
import { requireDatabase } from './require-database.ts'

/**
 * Runs a command against the database of this installation, then closes it.
 *
 * @throws Error with a sentence for people when there is no database
 */
export async function withApp<T>(use: (app: App) => Promise<T>): Promise<T> {
  const settings = readSettings(process.env)
  const databaseUrl = await requireDatabase(settings)
  await requireKeys(databaseUrl, settings)
  const app = createApp({ settings, databaseUrl, log: createLogger('silent'), env: process.env })
  try {
    return await use(app)
  } finally {
    await app.close()
  }
}
