import { type ClientAuth, ClientSecretBasic, ClientSecretPost, None } from 'openid-client'
import type { Client } from './client.ts'

/** How a client authenticates at a token endpoint (RFC 6749 section 2.3.1). Without a secret: by its name alone. */
export function clientAuthentication({ clientSecret, tokenEndpointAuthMethod }: Client): ClientAuth {
  if (clientSecret === undefined || tokenEndpointAuthMethod === 'none') return None()
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? ClientSecretPost(clientSecret.reveal())
    : ClientSecretBasic(clientSecret.reveal())
}
