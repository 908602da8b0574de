import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../app.ts'
import type { Settings } from '../config/settings.ts'
import type { Secret } from '../kernel/secret.ts'

export type FirstKey = {
  /** The key, when this start made it. */
  readonly key: Secret | null
  /** The file that holds it; null when there is none (somebody removed it, or `ADMIN_API_KEY` is used instead). */
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
  if (!isFirst) return { key: null, file: existsSync(file) ? file : null }
  const { key } = await app.issueApiKey({
    tenantId: tenant.id,
    label: 'First start',
    kind: 'service',
    subject: 'first-start',
    role: 'admin',
  })
  writeFileSync(file, `${key.reveal()}\n`, { mode: 0o600 })
  return { key, file }
}
