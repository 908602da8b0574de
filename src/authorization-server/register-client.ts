import { addMs, type Clock } from '../kernel/clock.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import { type ClientMetadata, readClientMetadata } from './client-metadata.ts'
import type { ArtifactStore, OauthClientStore, RateCounter } from './store.ts'

const unusedForMs = 86_400_000
const minuteMs = 60_000
const hourMs = 3_600_000
const maxPerHour = 1000
const sweepLimit = 50

type Deps = {
  readonly clients: OauthClientStore
  readonly artifacts: Pick<ArtifactStore, 'sweep'>
  readonly rates: RateCounter
  readonly clock: Clock
  /** For each address. */
  readonly maxPerMinute: number
}

export type Registration =
  | { readonly kind: 'too_many'; readonly retryAfterSeconds: number }
  | {
      readonly kind: 'registered'
      readonly clientId: string
      /** For confidential clients; shown this once. */
      readonly secret: Secret | null
      readonly issuedAt: Date
      readonly metadata: ClientMetadata
    }

/**
 * Registers a host as a client (RFC 7591): anybody may, within bounds. A client that nobody grants anything within a day is
 * deleted again; each registration takes some of those along.
 *
 * @param address of who asks
 * @throws ClientMetadataError
 */
export function createRegisterOauthClient({ clients, artifacts, rates, clock, maxPerMinute }: Deps) {
  return async (raw: unknown, address: string): Promise<Registration> => {
    const now = clock.now()
    if ((await rates.hit(`register:${hashToken(address)}`, minuteMs, now)) > maxPerMinute)
      return { kind: 'too_many', retryAfterSeconds: minuteMs / 1000 }
    if ((await rates.hit('register', hourMs, now)) > maxPerHour)
      return { kind: 'too_many', retryAfterSeconds: hourMs / 1000 }
    const metadata = readClientMetadata(raw)
    const secret = /^client_secret_/.test(metadata.token_endpoint_auth_method) ? new Secret(randomToken()) : null
    const clientId = randomToken()
    await clients.sweep(now, sweepLimit)
    await artifacts.sweep(now, sweepLimit)
    await clients.add({
      clientId,
      metadata,
      secretHash: secret === null ? null : hashToken(secret.reveal()),
      createdAt: now,
      expiresAt: addMs(now, unusedForMs),
    })
    return { kind: 'registered', clientId, secret, issuedAt: now, metadata }
  }
}

export type RegisterOauthClient = ReturnType<typeof createRegisterOauthClient>
