import { z } from 'zod'
import { isAppError } from '../kernel/app-error.ts'
import { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { Home } from './own-place.ts'

const place: SealedPlace = { table: 'mcp', column: 'session_home', rowId: '', tenantId: '' }
const homeSchema = z.object({ server: z.string(), process: z.uuid(), url: z.string().nullable() })

/** A new session id that names its home. Sealed, since callers have no business with where our processes are. */
export function newHomedId(vault: Vault, { server, process, url }: Home): string {
  return vault.seal(new Secret(JSON.stringify({ server, process, url })), place)
}

/** The home that an id names; null when it names none, or is sealed with a key that is no longer there. */
export function homeOf(vault: Vault, id: string): Home | null {
  try {
    return homeSchema.parse(JSON.parse(vault.open(id, place).reveal()))
  } catch (error) {
    if (isAppError(error, 'internal')) return null
    throw error
  }
}
