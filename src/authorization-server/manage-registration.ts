import type { Clock } from '../kernel/clock.ts'
import { hashToken, isSameSecret, randomToken, Secret } from '../kernel/secret.ts'
import { ClientMetadataError } from './client-metadata.ts'
import type { JudgeClient } from './judge-client.ts'
import type { LimitRegistrations } from './registration-limit.ts'
import type { OauthClientStore, RegisteredClient } from './store.ts'

/** What is ours to say (RFC 7592 section 2.2). */
const neverSent = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

type Deps = {
  readonly clients: OauthClientStore
  readonly clock: Clock
  readonly judgeClient: JudgeClient
  readonly limitRegistrations: LimitRegistrations
}

/** Whose registration a host asks for, and how it shows that it is its own. */
export type RegistrationAccess = {
  readonly clientId: string
  /** The registration access token; empty without one. */
  readonly token: string
  /** Of who asks. */
  readonly address: string
}

export type Refused =
  | { readonly kind: 'too_many'; readonly retryAfterSeconds: number }
  /** No such client, or not its token: nothing tells the two apart. */
  | { readonly kind: 'unauthorized' }

export type OpenRegistration = {
  readonly kind: 'open'
  readonly client: RegisteredClient
  /** Where the change of a client needed a new one; shown this once. */
  readonly secret: Secret | null
}

/**
 * What a host may do with its own registration (RFC 7592): look at it, change it, delete it. It shows the token that it got when it
 * registered; a client that somebody else made for it has none.
 */
export function createManageRegistration({ clients, clock, judgeClient, limitRegistrations }: Deps) {
  async function open({ clientId, token, address }: RegistrationAccess): Promise<OpenRegistration | Refused> {
    const retryAfterSeconds = await limitRegistrations('manage', address)
    if (retryAfterSeconds !== null) return { kind: 'too_many', retryAfterSeconds }
    const client = await clients.find(clientId)
    const hash = client?.registrationTokenHash ?? null
    if (client === null || hash === null || !isSameSecret(hashToken(token), hash)) return { kind: 'unauthorized' }
    return { kind: 'open', client, secret: null }
  }

  return {
    read: open,

    /**
     * Puts new metadata in place of the old.
     *
     * @throws ClientMetadataError
     */
    async change(access: RegistrationAccess, raw: unknown): Promise<OpenRegistration | Refused> {
      const opened = await open(access)
      if (opened.kind !== 'open') return opened
      const { client } = opened
      requireOwn(raw, client)
      const metadata = judgeClient(raw)
      const needsSecret = /^client_secret_/.test(metadata.token_endpoint_auth_method)
      const secret = needsSecret && client.secretHash === null ? new Secret(randomToken()) : null
      const secretHash = secret === null ? client.secretHash : hashToken(secret.reveal())
      const changed = { ...client, metadata, secretHash: needsSecret ? secretHash : null }
      await clients.change(changed)
      return { kind: 'open', client: changed, secret }
    },

    /** Deletes the client, and ends what people granted to it. */
    async remove(access: RegistrationAccess): Promise<{ readonly kind: 'removed' } | Refused> {
      const opened = await open(access)
      if (opened.kind !== 'open') return opened
      await clients.remove(opened.client.clientId, clock.now())
      return { kind: 'removed' }
    },
  }
}

export type ManageRegistration = ReturnType<typeof createManageRegistration>

/** RFC 7592 section 2.2: it names the client that it is about, and changes nothing that is ours. */
function requireOwn(raw: unknown, client: RegisteredClient): void {
  const given = new Map<string, unknown>(Object.entries(typeof raw === 'object' && raw !== null ? raw : {}))
  if (given.get('client_id') !== client.clientId)
    throw new ClientMetadataError('invalid_client_metadata', 'client_id must be the one of this registration.')
  const ours = neverSent.find((name) => given.has(name))
  if (ours !== undefined)
    throw new ClientMetadataError('invalid_client_metadata', `${ours} must not be sent: it is not yours to change.`)
  const secret = given.get('client_secret')
  const isItsOwn = secret === undefined || isSameSecret(hashToken(String(secret)), client.secretHash ?? '')
  if (!isItsOwn) throw new ClientMetadataError('invalid_client_metadata', 'client_secret must be the one you have.')
}
