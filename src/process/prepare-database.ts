import { join } from 'node:path'
import { packageRoot } from '../config/package-root.ts'
import type { Settings } from '../config/settings.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Logger } from '../log/logger.ts'
import { queueMigration } from '../queue/migrate-queue.ts'
import { migrate, pendingMigrations } from '../storage/migrate.ts'
import { readMigrations } from '../storage/migration-history.ts'
import { restoredEvents } from '../storage/restored-events.ts'

const migrationsFolder = join(packageRoot(), 'prisma', 'migrations')

/** The migrations of this version, in order, without BullMQ's. */
export const migrationNames = async (): Promise<string[]> =>
  (await readMigrations(migrationsFolder)).map(({ name }) => name)

/**
 * Brings the database to the state that this version needs, or, with `MIGRATE=off`, makes sure that it is.
 *
 * @throws Error naming what is pending
 */
export async function prepareDatabase(
  databaseUrl: Secret,
  settings: Pick<Settings, 'MIGRATE'>,
  log: Logger,
): Promise<void> {
  const options = { folder: migrationsFolder, steps: [queueMigration, restoredEvents], log }
  if (settings.MIGRATE === 'auto') {
    await migrate(databaseUrl.reveal(), options)
    return
  }
  const pending = await pendingMigrations(databaseUrl.reveal(), options)
  if (pending.length > 0) {
    throw new Error(`The database lacks: ${pending.join(', ')}. Run "patchbay migrate", or start with MIGRATE=auto.`)
  }
}
