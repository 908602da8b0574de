import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Secret } from '../kernel/secret.ts'
import { type Keyring, parseKeyring } from './keyring.ts'

const fileName = 'encryption-keys'

/** Where the keys lie when the setting is unset, which only the embedded database on a loopback origin allows. */
export function localKeysFile(dataDir: string): string {
  return join(dataDir, fileName)
}

/** The keys of the setting; where it is unset, those in the data folder. Null when there are none. */
export function findKeyring(setting: Secret | undefined, dataDir: string): Keyring | null {
  const text = setting?.reveal() ?? readIfThere(localKeysFile(dataDir))
  return text === null ? null : parseKeyring(text)
}

/**
 * The keys of the setting; where it is unset, those in the data folder, made there when missing and readable by their owner
 * only. For a database that holds nothing yet: for any other, missing keys are lost keys (`key-check.ts`).
 */
export function loadKeyring(setting: Secret | undefined, dataDir: string): Keyring {
  return parseKeyring(setting?.reveal() ?? localKeys(dataDir))
}

function localKeys(dataDir: string): string {
  const path = localKeysFile(dataDir)
  const existing = readIfThere(path)
  if (existing !== null) return existing
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `local:${randomBytes(32).toString('base64')}`, { mode: 0o600 })
  try {
    // of two processes that start at once, one names its file; both then read the same keys
    linkSync(draft, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readFileSync(path, 'utf8').trim()
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
}

const isCode = (error: unknown, code: string) => error instanceof Error && 'code' in error && error.code === code
