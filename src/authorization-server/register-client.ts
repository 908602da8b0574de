import { addMs, type Clock } from '../kernel/clock.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import type { JudgeClient } from './judge-client.ts'
import type { LimitRegistrations } from './registration-limit.ts'
import type { ArtifactStore, OauthClientStore, RateCounter, RegisteredClient } from './store.ts'

const unusedForMs = 86_400_000
const hourMs = 3_600_000
const maxPerHour = 1000
const sweepLimit = 50

type Deps = {
  readonly clients: OauthClientStore
  readonly artifacts: Pick<ArtifactStore, 'sweep'>
  readonly rates: RateCounter
  readonly clock: Clock
  readonly judgeClient: JudgeClient
  readonly limitRegistrations: LimitRegistrations
}

export type Registration =
  | { readonly kind: 'too_many'; readonly retryAfterSeconds: number }
  | {
      readonly kind: 'registered'
      readonly client: RegisteredClient
      /** For confidential clients; shown this once. */
      readonly secret: Secret | null
      /** With which it manages its registration; shown this once. */
      readonly registrationToken: Secret
    }

/**
 * Registers a host as a client (RFC 7591): anybody may, within bounds. A client that nobody grants anything within a day is
 * deleted again; each registration takes some of those along.
 *
 * @param address of who asks
 * @throws ClientMetadataError
 */
export function createRegisterOauthClient({ clients, artifacts, rates, clock, judgeClient, limitRegistrations }: Deps) {
  return async (raw: unknown, address: string): Promise<Registration> => {
    const now = clock.now()
    const retryAfterSeconds = await limitRegistrations('register', address)
    if (retryAfterSeconds !== null) return { kind: 'too_many', retryAfterSeconds }
    if ((await rates.hit('register', hourMs, now)) > maxPerHour)
      return { kind: 'too_many', retryAfterSeconds: hourMs / 1000 }
    const metadata = judgeClient(raw)
    const secret = /^client_secret_/.test(metadata.token_endpoint_auth_method) ? new Secret(randomToken()) : null
    const registrationToken = new Secret(randomToken())
    await clients.sweep(now, sweepLimit)
    await artifacts.sweep(now, sweepLimit)
    const client: RegisteredClient = {
      clientId: randomToken(),
      metadata,
      secretHash: secret === null ? null : hashToken(secret.reveal()),
      registrationTokenHash: hashToken(registrationToken.reveal()),
      isPreMade: false,
      createdAt: now,
      expiresAt: addMs(now, unusedForMs),
    }
    await clients.add(client)
    return { kind: 'registered', client, secret, registrationToken }
  }
}

export type RegisterOauthClient = ReturnType<typeof createRegisterOauthClient>
