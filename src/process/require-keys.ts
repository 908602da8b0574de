import { withSealedStore } from '../composition/with-sealed-store.ts'
import type { Settings } from '../config/settings.ts'
import type { Secret } from '../kernel/secret.ts'
import { createPostgresKeyCheckStore } from '../storage/key-check-store.ts'
import { readKeyring, requireKeysOfDatabase } from '../vault/key-check.ts'
import { readKeyUsage, requireEveryKey } from '../vault/key-usage.ts'
import { createVault } from '../vault/vault.ts'

type KeySettings = Pick<Settings, 'ENCRYPTION_KEYS' | 'ENCRYPTION_ALLOW_MISSING' | 'DATA_DIR'>

/**
 * To be called before `createApp`, on a database that is up to date: a process that lacks a key with which something in the
 * database is sealed must not start.
 *
 * @throws Error with a sentence for the operator
 */
export async function requireKeys(databaseUrl: Secret, settings: KeySettings): Promise<void> {
  const { ENCRYPTION_KEYS: setting, DATA_DIR: dataDir } = settings
  await requireKeysOfDatabase({ store: createPostgresKeyCheckStore(databaseUrl), setting, dataDir })
  if (settings.ENCRYPTION_ALLOW_MISSING === '1') return
  const keyring = readKeyring(setting, dataDir)
  const vault = createVault(keyring)
  requireEveryKey(await withSealedStore(databaseUrl, (store) => readKeyUsage({ store, keyring, vault })))
}
