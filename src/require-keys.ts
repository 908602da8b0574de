import type { Settings } from './config/settings.ts'
import type { Secret } from './kernel/secret.ts'
import { createPostgresKeyCheckStore } from './storage/key-check-store.ts'
import { requireKeysOfDatabase } from './vault/key-check.ts'

/**
 * To be called before `createApp`, on a database that is up to date: a process with other encryption keys than the database's
 * must not start.
 *
 * @throws Error with a sentence for the operator
 */
export async function requireKeys(
  databaseUrl: Secret,
  settings: Pick<Settings, 'ENCRYPTION_KEYS' | 'DATA_DIR'>,
): Promise<void> {
  await requireKeysOfDatabase({
    store: createPostgresKeyCheckStore(databaseUrl),
    setting: settings.ENCRYPTION_KEYS,
    dataDir: settings.DATA_DIR,
  })
}
