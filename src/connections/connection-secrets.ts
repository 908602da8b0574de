import type { Secret } from '../kernel/secret.ts'
import type { SealedPlace, Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import type { Flow, Registration, Ticket } from './store.ts'

type Row = { readonly id: string; readonly tenantId: string }

const place = (table: string, column: string, { id, tenantId }: Row): SealedPlace => ({
  table,
  column,
  rowId: id,
  tenantId,
})

const places = {
  accessToken: (row: Row) => place('connections', 'sealed_access_token', row),
  refreshToken: (row: Row) => place('connections', 'sealed_refresh_token', row),
  ticket: (row: Row) => place('tickets', 'sealed_ticket', row),
  verifier: (row: Row) => place('flows', 'sealed_verifier', row),
  callback: (row: Row) => place('flows', 'sealed_callback', row),
  registrationSecret: (row: Row) => place('client_registrations', 'sealed_client_secret', row),
}

export type SecretPlace = keyof typeof places

/** Seals a secret for one column of one row. */
export function sealFor(vault: Vault, kind: SecretPlace, row: Row, secret: Secret): string {
  return vault.seal(secret, places[kind](row))
}

function openFrom(vault: Vault, kind: SecretPlace, row: Row, sealed: string | null): Secret | undefined {
  return sealed === null ? undefined : vault.open(sealed, places[kind](row))
}

export function openAccessToken(vault: Vault, connection: Connection): Secret | undefined {
  return openFrom(vault, 'accessToken', connection, connection.sealedAccessToken)
}

export function openRefreshToken(vault: Vault, connection: Connection): Secret | undefined {
  return openFrom(vault, 'refreshToken', connection, connection.sealedRefreshToken)
}

export function openTicket(vault: Vault, ticket: Ticket): Secret {
  return vault.open(ticket.sealedTicket, places.ticket(ticket))
}

export function openVerifier(vault: Vault, flow: Flow): Secret {
  return vault.open(flow.sealedVerifier, places.verifier(flow))
}

export function openCallback(vault: Vault, flow: Flow): Secret | undefined {
  return openFrom(vault, 'callback', flow, flow.sealedCallback)
}

export function openRegistrationSecret(
  vault: Vault,
  registration: Row & Pick<Registration, 'sealedClientSecret'>,
): Secret | undefined {
  return openFrom(vault, 'registrationSecret', registration, registration.sealedClientSecret)
}
