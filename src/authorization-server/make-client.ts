import type { Clock } from '../kernel/clock.ts'
import { hashToken, randomToken, Secret } from '../kernel/secret.ts'
import { readClientMetadata } from './client-metadata.ts'
import type { OauthClientStore, RegisteredClient } from './store.ts'

/** For one that lasts until somebody deletes it. */
const never = new Date('9999-12-31T00:00:00Z')

type Deps = { readonly clients: Pick<OauthClientStore, 'add'>; readonly clock: Clock }

export type NewClient = {
  readonly name: string
  readonly redirectUris: readonly string[]
  /** With a secret, which it sends in the header or in the form. */
  readonly isConfidential: boolean
}

/**
 * Makes a client known that cannot or should not register itself: its id, and its secret if it has one, are typed into the host.
 *
 * @throws ClientMetadataError for redirects that no client may have
 */
export function createMakeClient({ clients, clock }: Deps) {
  return async ({
    name,
    redirectUris,
    isConfidential,
  }: NewClient): Promise<{ client: RegisteredClient; secret: Secret | null }> => {
    const metadata = readClientMetadata({
      client_name: name,
      redirect_uris: redirectUris,
      token_endpoint_auth_method: isConfidential ? 'client_secret_post' : 'none',
    })
    const secret = isConfidential ? new Secret(randomToken()) : null
    const client: RegisteredClient = {
      clientId: randomToken(),
      metadata,
      secretHash: secret === null ? null : hashToken(secret.reveal()),
      registrationTokenHash: null,
      isPreMade: true,
      createdAt: clock.now(),
      expiresAt: never,
    }
    await clients.add(client)
    return { client, secret }
  }
}
