import { sealFor } from '../../src/connections/connection-secrets.ts'
import { newId } from '../../src/kernel/id.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { parseKeyring } from '../../src/vault/keyring.ts'
import { createVault } from '../../src/vault/vault.ts'

type Fill = {
  readonly databaseUrl: string
  readonly encryptionKeys: string
  readonly connections: number
  readonly issuers: number
  readonly tokenEndpointOf: (issuer: number) => string
  readonly newFamily: (connection: string) => string
}

/** Connections as they are after somebody connected them, spread over issuers, and due at once. */
export async function fillTable(fill: Fill): Promise<void> {
  const vault = createVault(parseKeyring(fill.encryptionKeys))
  const tenantId = newId()
  await withConnection(fill.databaseUrl, async (client) => {
    await client.query(`INSERT INTO tenants (id, slug, name) VALUES ($1, 'chaos', 'Chaos')`, [tenantId])
    for (let index = 0; index < fill.connections; index++) {
      const connectorId = newId()
      const row = { id: newId(), tenantId }
      const tokenEndpoint = fill.tokenEndpointOf(index % fill.issuers)
      const seal = (kind: 'accessToken' | 'refreshToken', text: string) => sealFor(vault, kind, row, new Secret(text))
      await client.query(
        `INSERT INTO connectors (id, tenant_id, owner_kind, owner_id, url, url_key, credential_scope,
            created_by_principal_id, updated_at)
          VALUES ($1, $2, 'tenant', '*', $3, $3, 'tenant', $4, now())`,
        [connectorId, tenantId, `https://upstream-${index}.example/mcp`, newId()],
      )
      await client.query(
        `INSERT INTO connections (id, tenant_id, connector_id, scope, subject_id, state, auth_type, issuer, token_endpoint,
            client_id, client_source, token_endpoint_auth_method, grant_epoch, sealed_access_token, sealed_refresh_token,
            access_expires_at, next_refresh_at, updated_at)
          VALUES ($1, $2, $3, 'tenant', '*', 'connected', 'oauth2', $4, $5, 'https://patchbay.example/client',
            'metadata_document', 'none', 1, $6, $7, now() + interval '20 seconds', now() + random() * interval '10 seconds', now())`,
        [
          row.id,
          tenantId,
          connectorId,
          new URL('.', tokenEndpoint).href,
          tokenEndpoint,
          seal('accessToken', 'access'),
          seal('refreshToken', fill.newFamily(row.id)),
        ],
      )
    }
  })
}
