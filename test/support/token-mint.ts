import { type JWTHeaderParameters, SignJWT } from 'jose'
import { grantClaim } from '../../src/authorization-server/read-access-token.ts'
import { addMs, systemClock } from '../../src/kernel/clock.ts'
import { newId } from '../../src/kernel/id.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { createPrismaGrantStore } from '../../src/storage/grant-store.ts'
import { createPrismaKeyStore } from '../../src/storage/key-stores.ts'
import { openDatabase } from '../../src/storage/prisma-client.ts'
import { readKeyring } from '../../src/vault/key-check.ts'
import { createStoredKeys, type StoredKeys } from '../../src/vault/stored-keys.ts'
import { createVault } from '../../src/vault/vault.ts'
import type { Patchbay } from './patchbay.ts'

export type MintedGrant = { readonly id: string; readonly principalId: string; readonly clientId: string }

/** Signs access tokens with the very keys of a running Patchbay, true ones and false ones. */
export type TokenMint = {
  readonly keys: StoredKeys
  /** Gives a person's use of a connector to a made-up client. */
  grant(connectorId: string, subject: string): Promise<MintedGrant>
  /** A token that is good at the connector, but for what `claims` and `header` change; null removes a claim. */
  token(
    connectorId: string,
    grant: MintedGrant,
    change?: { readonly claims?: Record<string, unknown>; readonly header?: Partial<JWTHeaderParameters> },
  ): Promise<string>
  revoke(grant: MintedGrant): Promise<void>
  close(): Promise<void>
}

export function createTokenMint(patchbay: Patchbay): TokenMint {
  const database = openDatabase({ url: new Secret(patchbay.databaseUrl), poolSize: 2 })
  const vault = createVault(readKeyring(patchbay.settings.ENCRYPTION_KEYS, ''))
  const store = createPrismaKeyStore(database, 'tokens')
  const changes = { isLive: () => false, subscribe: () => () => {} }
  const keys = createStoredKeys({ store, vault, purpose: 'tokens', changes, clock: systemClock })
  const grants = createPrismaGrantStore(database)
  const resourceOf = (connectorId: string) => `${patchbay.url}/connectors/${connectorId}/mcp`

  return {
    keys,

    async grant(connectorId, subject) {
      await patchbay.createKey({ subject })
      const { id: principalId, tenantId } = await database.principal.findFirstOrThrow({ where: { subject } })
      const grant = { id: newId(), principalId, clientId: 'made-up-client' }
      await grants.create({
        ...grant,
        tenantId,
        connectorId,
        clientName: 'Made-up client',
        resource: resourceOf(connectorId),
        scope: 'mcp',
        expiresAt: addMs(new Date(), 86_400_000),
      })
      return grant
    },

    async token(connectorId, grant, { claims = {}, header = {} } = {}) {
      const { key, kid } = await keys.signing()
      const now = Math.floor(Date.now() / 1000)
      const payload = {
        iss: patchbay.url,
        aud: resourceOf(connectorId),
        sub: grant.principalId,
        client_id: grant.clientId,
        scope: 'mcp',
        iat: now,
        exp: now + 3600,
        jti: newId(),
        [grantClaim]: grant.id,
        ...claims,
      }
      const given = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== null))
      return new SignJWT(given).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid, ...header }).sign(key)
    },

    async revoke({ id }) {
      await database.grant.update({ where: { id }, data: { revokedAt: new Date() } })
    },

    close: () => database.$disconnect(),
  }
}
