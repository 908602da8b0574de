import { createIssueApiKey } from '../access/api-key.ts'
import { readSettings } from '../config/settings.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import { createPrismaAccessStore } from '../storage/access-store.ts'
import { openDatabase, openPool } from '../storage/prisma-client.ts'
import { requireDatabase } from './require-database.ts'

/** The part of the application that keys need. It is there in a third of the time that the whole takes. */
export type Access = ReturnType<typeof composeAccess>['parts']

/**
 * Runs a command about keys against the database of this installation, then closes it.
 *
 * @throws Error with a sentence for people when there is no database
 */
export async function withAccess<T>(use: (access: Access) => Promise<T>): Promise<T> {
  const { parts, close } = composeAccess(await requireDatabase(readSettings(process.env)))
  try {
    return await use(parts)
  } finally {
    await close()
  }
}

function composeAccess(url: Secret) {
  const pool = openPool({ url, poolSize: 1 })
  const database = openDatabase(pool)
  const access = createPrismaAccessStore(database, pool)
  return {
    parts: { access, issueApiKey: createIssueApiKey({ access, clock: systemClock }) },
    async close(): Promise<void> {
      await database.$disconnect()
      await pool.end()
    },
  }
}
