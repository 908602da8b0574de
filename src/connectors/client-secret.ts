import type { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { Connector } from './connector.ts'

type Row = Pick<Connector, 'id' | 'tenantId'>

const place = ({ id, tenantId }: Row): SealedPlace => ({
  table: 'connectors',
  column: 'sealed_client_secret',
  rowId: id,
  tenantId,
})

/** Seals the client secret that a caller gave for a connector. */
export function sealClientSecret(vault: Vault, row: Row, secret: Secret): string {
  return vault.seal(secret, place(row))
}

/** The client secret of a connector, when one was given. */
export function openClientSecret(vault: Vault, connector: Connector): Secret | undefined {
  return connector.sealedClientSecret === null ? undefined : vault.open(connector.sealedClientSecret, place(connector))
}
