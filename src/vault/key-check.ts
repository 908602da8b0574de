import { Secret } from '../kernel/secret.ts'
import type { Keyring } from './keyring.ts'
import { findKeyring, loadKeyring, localKeysFile } from './load-keyring.ts'
import { createVault } from './vault.ts'

/** Keeps one sealed value for the whole database. */
export type KeyCheckStore = {
  read(): Promise<string | null>
  /** Keeps the value unless another one is kept already; returns the one that is. */
  keepFirst(sealed: string): Promise<string>
}

type Deps = {
  readonly store: KeyCheckStore
  /** `ENCRYPTION_KEYS`, where it is set. */
  readonly setting: Secret | undefined
  readonly dataDir: string
}

const place = { table: 'key_check', column: 'sealed', rowId: '1', tenantId: '*' }
const knownValue = new Secret('patchbay')

/**
 * Makes sure, before anything is sealed or opened, that the keys at hand are those that this database was sealed with. A
 * database that holds nothing yet is tied to the keys at hand, which are made in the data folder where no setting brings any.
 *
 * @throws Error with a sentence for the operator: the keys are missing or are others. Nothing has been changed then.
 */
export async function requireKeysOfDatabase({ store, setting, dataDir }: Deps): Promise<void> {
  const kept = await store.read()
  const keyring = kept === null ? loadKeyring(setting, dataDir) : readKeyring(setting, dataDir)
  // of two processes that start at once, one ties the database to its keys; the other finds out here
  const sealed = kept ?? (await store.keepFirst(createVault(keyring).seal(knownValue, place)))
  if (!opens(keyring, sealed)) throw new Error(wrongKeys(setting, dataDir))
}

/**
 * The keys of a database that has been used.
 *
 * @throws Error with a sentence for the operator when the file that holds them is gone
 */
export function readKeyring(setting: Secret | undefined, dataDir: string): Keyring {
  const keyring = findKeyring(setting, dataDir)
  if (keyring !== null) return keyring
  const file = localKeysFile(dataDir)
  throw new Error(
    `The encryption keys are gone: ${file} is missing, and the secrets in the database cannot be read without it. ` +
      'Put the file back, for example from a backup. Nothing has been changed.',
  )
}

function opens(keyring: Keyring, sealed: string): boolean {
  try {
    return createVault(keyring).open(sealed, place).reveal() === knownValue.reveal()
  } catch {
    return false
  }
}

function wrongKeys(setting: Secret | undefined, dataDir: string): string {
  const [keys, remedy] =
    setting === undefined
      ? [`The encryption keys in ${localKeysFile(dataDir)}`, 'Put the former file back, for example from a backup.']
      : ['The keys in ENCRYPTION_KEYS', 'List the former ones; keys can be added in front of them.']
  return `${keys} are not those that the secrets in the database were sealed with. ${remedy} Nothing has been changed.`
}
