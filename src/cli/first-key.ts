import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../app.ts'
import type { Settings } from '../config/settings.ts'
import { systemClock } from '../kernel/clock.ts'
import { hashToken, type Secret } from '../kernel/secret.ts'

export type FirstKey = {
  /** The key, when this start made it. */
  readonly key: Secret | null
  /** The file that holds a key that works; null when there is none (it was removed or revoked, or never made). */
  readonly file: string | null
}

const fileName = 'admin-key'

/**
 * Makes an administrator's key at the first start on an empty database, and keeps it in the data folder for its owner only,
 * beside the encryption keys. Never on a public address, and never where the operator brings a key.
 */
export async function ensureFirstKey(app: App, settings: Settings): Promise<FirstKey> {
  const file = join(settings.DATA_DIR, fileName)
  const tenant = await app.access.ensureTenant('default', 'Default')
  const isFirst = settings.isLoopback && (await app.access.listApiKeys(tenant.id)).length === 0
  if (!isFirst) return { key: null, file: (await holdsLiveKey(app, file)) ? file : null }
  const { key } = await app.issueApiKey({
    tenantId: tenant.id,
    label: 'First start',
    kind: 'service',
    subject: 'first-start',
    role: 'admin',
  })
  // The mode counts only for a file that is made here, and a key of a former database may lie in its place.
  rmSync(file, { force: true })
  writeFileSync(file, `${key.reveal()}\n`, { mode: 0o600, flag: 'wx' })
  return { key, file }
}

/** False for a file that is missing, unreadable, or holds the key of another database or one that has been revoked. */
async function holdsLiveKey(app: App, file: string): Promise<boolean> {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch {
    return false
  }
  return (await app.access.findKeyHolder(hashToken(text), systemClock.now()))?.isOver === false
}
