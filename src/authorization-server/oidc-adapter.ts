import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'
import { InvalidGrant, InvalidRequest } from 'oidc-provider/lib/helpers/errors.js'
import type { Clock } from '../kernel/clock.ts'
import { hashToken, Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { TrustsAddresses } from './client-trust.ts'
import type { GrantStore } from './grant.ts'
import { type ArtifactKind, type ArtifactStore, artifactKinds, type OauthClientStore } from './store.ts'

type Deps = {
  readonly clients: Pick<OauthClientStore, 'find'>
  readonly trusts: TrustsAddresses
  readonly grants: GrantStore
  readonly artifacts: ArtifactStore
  readonly vault: Vault
  readonly clock: Clock
}

/** Under what an artifact is kept: nothing in the database leads back to the value that its bearer has. */
export function artifactHash(kind: ArtifactKind, value: string): string {
  return hashToken(`${kind}:${value}`)
}

const place = (keyHash: string): SealedPlace => ({
  table: 'oauth_artifacts',
  column: 'sealed_payload',
  rowId: keyHash,
  tenantId: 'installation',
})

/** The content of an artifact as it is stored: sealed, and without the value itself. */
export function sealPayload(vault: Vault, keyHash: string, { jti: _, ...payload }: AdapterPayload): string {
  return vault.seal(new Secret(JSON.stringify(payload)), place(keyHash))
}

/** @param value what the bearer presented */
export function openPayload(vault: Vault, keyHash: string, sealed: string, value: string): AdapterPayload {
  return { ...JSON.parse(vault.open(sealed, place(keyHash)).reveal()), jti: value }
}

const seconds = (date: Date) => Math.floor(date.getTime() / 1000)
const nothing = async () => undefined
/** Sessions are not kept: each request asks who the person is. Access tokens are JWTs, and end with their grant. */
const empty: Adapter = {
  upsert: nothing,
  find: nothing,
  findByUid: nothing,
  findByUserCode: nothing,
  consume: nothing,
  destroy: nothing,
  revokeByGrantId: nothing,
}

/**
 * What oidc-provider keeps its things in. Its grants are ours, its clients those that registered here; codes and tokens are
 * found by hash, sealed, and used up in one statement.
 */
export function createOidcAdapter({ clients, trusts, grants, artifacts, vault, clock }: Deps): AdapterFactory {
  const clientAdapter: Adapter = {
    ...empty,
    async find(id) {
      const client = await clients.find(id)
      if (client === null) return undefined
      const { clientId, metadata, secretHash, isPreMade } = client
      // one that registered before its host was denied
      if (!isPreMade && !trusts(metadata.redirect_uris)) return undefined
      return {
        ...structuredClone(metadata),
        client_id: clientId,
        ...(secretHash === null ? {} : { client_secret: secretHash }),
      } as AdapterPayload
    },
  }

  const grantAdapter: Adapter = {
    ...empty,
    async find(id) {
      const live = await grants.findLive(id, clock.now())
      if (live === null) return undefined
      const { grant } = live
      return {
        kind: 'Grant',
        jti: id,
        accountId: grant.principalId,
        clientId: grant.clientId,
        openid: { scope: grant.scope },
        resources: { [grant.resource]: grant.scope },
        iat: seconds(grant.createdAt),
        exp: seconds(grant.expiresAt),
      }
    },
    // when the client revokes a token, or redeems a code twice
    async destroy(id) {
      await grants.revoke(id, 'client', clock.now())
    },
  }

  const artifactAdapter = (kind: ArtifactKind): Adapter => ({
    ...empty,
    async upsert(id, payload, expiresIn) {
      const keyHash = artifactHash(kind, id)
      await artifacts.put({
        keyHash,
        kind,
        grantId: payload.grantId ?? null,
        sealedPayload: sealPayload(vault, keyHash, payload),
        expiresAt: expiresIn === undefined ? null : new Date((seconds(clock.now()) + expiresIn) * 1000),
      })
    },
    async find(id) {
      const keyHash = artifactHash(kind, id)
      const stored = await artifacts.find(keyHash)
      if (stored === null) return undefined
      const consumed = stored.consumedAt === null ? {} : { consumed: seconds(stored.consumedAt) }
      return { ...openPayload(vault, keyHash, stored.sealedPayload, id), ...consumed }
    },
    async consume(id) {
      if (!(await artifacts.consume(artifactHash(kind, id), clock.now()))) throw new InvalidGrant('already used')
    },
    async destroy(id) {
      const isFirst = await artifacts.destroy(artifactHash(kind, id))
      // of two browsers that come back with one answered request, one gets a code
      if (!isFirst && kind === 'Interaction') throw new InvalidRequest('answered before')
    },
    revokeByGrantId: (grantId) => artifacts.destroyOfGrant(kind, grantId),
  })

  return (model) => {
    if (model === 'Client') return clientAdapter
    if (model === 'Grant') return grantAdapter
    const kind = artifactKinds.find((name) => name === model)
    return kind === undefined ? empty : artifactAdapter(kind)
  }
}
