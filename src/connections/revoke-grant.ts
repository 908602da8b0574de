import type { Connector } from '../connectors/connector.ts'
import type { Background } from '../log/background.ts'
import type { TokenEndpoint } from '../upstream/token-endpoint.ts'
import type { Vault } from '../vault/vault.ts'
import type { FindClient } from './choose-client.ts'
import type { Connection } from './connection.ts'
import { openAccessToken, openRefreshToken } from './connection-secrets.ts'

type Deps = {
  readonly tokenEndpoint: TokenEndpoint
  readonly findClient: FindClient
  readonly background: Background
  readonly vault: Vault
}

/**
 * Tells the upstream that a grant is over (RFC 7009): the refresh token first, since that ends the grant at most servers.
 * Best effort, in the background, at the endpoint that the grant was made at.
 */
export function createRevokeGrant({ tokenEndpoint, findClient, background, vault }: Deps) {
  return (connector: Connector, connection: Connection): void => {
    const { issuer, revocationEndpoint, clientId, tokenEndpointAuthMethod } = connection
    const endpoint = connection.tokenEndpoint
    if (
      issuer === null ||
      endpoint === null ||
      revocationEndpoint === null ||
      clientId === null ||
      tokenEndpointAuthMethod === null
    )
      return
    background.run('revoke', async () => {
      const client = await findClient(connector, { ...connection, clientId, tokenEndpointAuthMethod })
      if (client === null) return
      for (const token of [openRefreshToken(vault, connection), openAccessToken(vault, connection)]) {
        if (token !== undefined)
          await tokenEndpoint.revoke({ server: { issuer, tokenEndpoint: endpoint, revocationEndpoint }, client, token })
      }
    })
  }
}

export type RevokeGrant = ReturnType<typeof createRevokeGrant>
