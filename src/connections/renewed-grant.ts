import { addMs } from '../kernel/clock.ts'
import type { TokenSet } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { sealFor } from './connection-secrets.ts'
import { expiryOf, refreshTime } from './schedule.ts'
import type { ConnectionChanges } from './store.ts'

/** What a refresh brought, sealed: what is stored of it, and what is spilled when it cannot be. */
export type RenewedGrant = {
  readonly tokenVersion: number
  readonly accessExpiresAt: Date | null
  readonly accessLifetimeSeconds: number | null
  readonly reauthBy: Date | null
  readonly nextRefreshAt: Date
  readonly scopes: readonly string[]
  readonly sealedAccessToken: string
  readonly sealedRefreshToken: string | null
}

/** What remains of earlier failures after a success. */
const recovered = { lastError: null, failCount: 0, failingSince: null } as const satisfies ConnectionChanges

/**
 * Seals a token response for its connection. What the server leaves out stays as it was: the refresh token (RFC 6749
 * section 6), the lifetime, the scopes.
 *
 * @param requestedAt when the request began: lifetimes are counted from there
 * @param random in [0, 1): spreads the refreshes
 */
export function renewedGrant(
  vault: Vault,
  connection: Connection,
  { tokens, requestedAt, random }: { tokens: TokenSet; requestedAt: Date; random: number },
): RenewedGrant {
  const accessLifetimeSeconds = tokens.expiresInSeconds ?? connection.accessLifetimeSeconds
  const accessExpiresAt = expiryOf(requestedAt, accessLifetimeSeconds ?? undefined)
  const { refreshToken } = tokens
  const isRotated = refreshToken !== undefined
  return {
    tokenVersion: connection.tokenVersion + 1,
    accessExpiresAt,
    accessLifetimeSeconds,
    reauthBy: expiryOf(requestedAt, tokens.refreshExpiresInSeconds) ?? (isRotated ? null : connection.reauthBy),
    nextRefreshAt: refreshTime(requestedAt, accessExpiresAt, random),
    scopes: tokens.scopes ?? connection.scopes,
    sealedAccessToken: sealFor(vault, 'accessToken', connection, tokens.accessToken),
    sealedRefreshToken: isRotated
      ? sealFor(vault, 'refreshToken', connection, refreshToken)
      : connection.sealedRefreshToken,
  }
}

/**
 * The same as changes to the connection, made at `now`: what was kept elsewhere for a while may be due by now.
 */
export function renewalChanges({ nextRefreshAt, ...grant }: RenewedGrant, now: Date): ConnectionChanges {
  return { ...grant, ...recovered, nextRefreshAt: nextRefreshAt > now ? nextRefreshAt : addMs(now, 0) }
}
