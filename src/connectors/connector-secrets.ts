import type { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { Connector } from './connector.ts'

type Row = Pick<Connector, 'id' | 'tenantId'>

const columns = {
  clientSecret: 'sealed_client_secret',
  privateKey: 'sealed_private_key',
  token: 'sealed_token',
} as const

const place = (kind: keyof typeof columns, { id, tenantId }: Row): SealedPlace => ({
  table: 'connectors',
  column: columns[kind],
  rowId: id,
  tenantId,
})

/** Seals a secret that a caller gave for a connector. */
export function sealConnectorSecret(vault: Vault, kind: keyof typeof columns, row: Row, secret: Secret): string {
  return vault.seal(secret, place(kind, row))
}

/** The client secret of a connector, when one was given. */
export function openClientSecret(
  vault: Vault,
  connector: Row & Pick<Connector, 'sealedClientSecret'>,
): Secret | undefined {
  return open(vault, 'clientSecret', connector, connector.sealedClientSecret)
}

/** The private key of a connector's client, when one was given. */
export function openPrivateKey(vault: Vault, connector: Row & Pick<Connector, 'sealedPrivateKey'>): Secret | undefined {
  return open(vault, 'privateKey', connector, connector.sealedPrivateKey)
}

/** The fixed token of a connector, when one was given. */
export function openFixedToken(vault: Vault, connector: Connector): Secret | undefined {
  return open(vault, 'token', connector, connector.sealedToken)
}

function open(vault: Vault, kind: keyof typeof columns, row: Row, sealed: string | null): Secret | undefined {
  return sealed === null ? undefined : vault.open(sealed, place(kind, row))
}
