import type { Secret } from '../kernel/secret.ts'
import type { ClientPrivateKey } from './private-key.ts'

export const tokenEndpointAuthMethods = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const
/** How a client proves itself at the token endpoint (RFC 7591 section 2). */
export type TokenEndpointAuthMethod = (typeof tokenEndpointAuthMethods)[number]

/** An OAuth client of ours at somebody's authorization server. */
export type Client = {
  readonly clientId: string
  /** Absent for a public client. */
  readonly clientSecret?: Secret
  /** For `private_key_jwt` with a key of the client's own; absent: ours. */
  readonly privateKey?: ClientPrivateKey
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod
}
