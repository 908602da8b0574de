import type { ConnectorAuth } from '../connectors/connector.ts'
import { Secret } from '../kernel/secret.ts'
import type { Vault } from '../vault/vault.ts'
import type { Connection } from './connection.ts'
import { openAccessToken } from './connection-secrets.ts'

/** Headers that carry a credential to the upstream, by lower-case name. */
export type CredentialHeaders = Readonly<Record<string, Secret>>

const authorization = 'authorization'

/** RFC 6750 section 2.1. */
export function bearer(token: Secret): CredentialHeaders {
  return { [authorization]: withScheme('Bearer', token) }
}

/**
 * A token that was given, where and how the connector says. What already begins with the scheme stays as it is, since
 * people copy `Bearer ...` from documentation.
 */
export function fixedToken({ tokenHeader, tokenScheme }: ConnectorAuth, token: Secret): CredentialHeaders {
  const name = (tokenHeader ?? authorization).toLowerCase()
  return { [name]: withScheme(tokenScheme ?? (name === authorization ? 'Bearer' : ''), token) }
}

/** The headers that carry a connection's credential to its upstream. Empty when it needs none. */
export function credentialHeaders(vault: Vault, connector: ConnectorAuth, connection: Connection): CredentialHeaders {
  const token = openAccessToken(vault, connection)
  if (token === undefined) return {}
  return connection.authType === 'token' ? fixedToken(connector, token) : bearer(token)
}

function withScheme(scheme: string, token: Secret): Secret {
  if (scheme === '') return token
  const text = token.reveal()
  return text.toLowerCase().startsWith(`${scheme.toLowerCase()} `) ? token : new Secret(`${scheme} ${text}`)
}
