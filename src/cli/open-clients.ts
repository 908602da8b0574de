import { createMakeClient } from '../authorization-server/make-client.ts'
import type { OauthClientStore } from '../authorization-server/store.ts'
import { readSettings } from '../config/settings.ts'
import { systemClock } from '../kernel/clock.ts'
import { createPrismaOauthClientStore } from '../storage/authorization-server-stores.ts'
import { openDatabase } from '../storage/prisma-client.ts'
import { requireDatabase } from './require-database.ts'

/** The part of the application that a host's client needs. */
export type Clients = {
  readonly clients: OauthClientStore
  readonly makeClient: ReturnType<typeof createMakeClient>
}

/**
 * Runs a command about clients against the database of this installation, then closes it.
 *
 * @throws Error with a sentence for people when there is no database
 */
export async function withClients<T>(use: (parts: Clients) => Promise<T>): Promise<T> {
  const database = openDatabase({ url: await requireDatabase(readSettings(process.env)), poolSize: 1 })
  const clients = createPrismaOauthClientStore(database)
  try {
    return await use({ clients, makeClient: createMakeClient({ clients, clock: systemClock }) })
  } finally {
    await database.$disconnect()
  }
}
