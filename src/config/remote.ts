import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'
import { Secret } from '../kernel/secret.ts'

/** A Patchbay that commands talk to over its REST API. */
export type Remote = { readonly url: URL; readonly apiKey: Secret }

/**
 * Where commands find Patchbay, and who they are there: `PATCHBAY_URL` (default: `PUBLIC_URL`, then the one that runs on this
 * machine) and `PATCHBAY_API_KEY` (default, on this machine only: the key that the first start left in `DATA_DIR`).
 *
 * @throws Error with a sentence for people
 */
export function readRemote(env: Readonly<Record<string, string | undefined>>): Remote {
  const given = (name: string): string | undefined => env[name]?.trim() || undefined
  const address = given('PATCHBAY_URL') ?? given('PUBLIC_URL') ?? `http://localhost:${given('PORT') ?? '8333'}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Error(`PATCHBAY_URL is not an http(s) address: ${address}`)
  }
  const isLocal = isLoopbackOrigin(url)
  if (url.protocol === 'http:' && !isLocal) {
    throw new Error(`A key is not sent in the clear: use https for ${url.origin} (PATCHBAY_URL).`)
  }
  const key = given('PATCHBAY_API_KEY') ?? (isLocal ? readFirstKey(given('DATA_DIR') ?? '.patchbay') : undefined)
  if (key === undefined) {
    const where = isLocal ? 'Start Patchbay in this folder (npm start), or set' : 'Set'
    throw new Error(`${where} PATCHBAY_API_KEY to a key; "patchbay api-keys create --label <text>" makes one.`)
  }
  return { url, apiKey: new Secret(key) }
}

function readFirstKey(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, 'admin-key'), 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}
