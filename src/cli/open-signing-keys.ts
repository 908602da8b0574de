import { readSettings } from '../config/settings.ts'
import { requireKeys } from '../process/require-keys.ts'
import { createPrismaKeyStore } from '../storage/key-stores.ts'
import { openDatabase } from '../storage/prisma-client.ts'
import { readKeyring } from '../vault/key-check.ts'
import type { KeyPurpose, KeyStore } from '../vault/signing-keys.ts'
import { createVault, type Vault } from '../vault/vault.ts'
import { requireDatabase } from './require-database.ts'

/** The keys that the installation signs with, and what seals them. */
export type SigningKeyParts = { readonly vault: Vault; readonly storeOf: (purpose: KeyPurpose) => KeyStore }

/**
 * Runs a command about signing keys against the database of this installation, then closes it.
 *
 * @throws Error with a sentence for people when there is no database, or its encryption keys are others
 */
export async function withSigningKeys<T>(use: (parts: SigningKeyParts) => Promise<T>): Promise<T> {
  const settings = readSettings(process.env)
  const url = await requireDatabase(settings)
  await requireKeys(url, settings)
  const database = openDatabase({ url, poolSize: 1 })
  const vault = createVault(readKeyring(settings.ENCRYPTION_KEYS, settings.DATA_DIR))
  try {
    return await use({ vault, storeOf: (purpose) => createPrismaKeyStore(database, purpose) })
  } finally {
    await database.$disconnect()
  }
}
