import { type ClientAuth, ClientSecretPost, None, PrivateKeyJwt } from 'openid-client'
import type { Client } from './client.ts'
import type { SigningKey } from './client-keys.ts'

/**
 * How a client authenticates at a token endpoint (RFC 6749 section 2.3.1; RFC 7523 for `private_key_jwt`, with the issuer as
 * the assertion's audience). Without a secret: by its name alone.
 *
 * @param signingKey asked for only when an assertion is to be signed
 */
export async function clientAuthentication(
  { clientSecret, tokenEndpointAuthMethod }: Client,
  signingKey: () => Promise<SigningKey>,
): Promise<ClientAuth> {
  if (tokenEndpointAuthMethod === 'private_key_jwt') return PrivateKeyJwt(await signingKey())
  if (clientSecret === undefined || tokenEndpointAuthMethod === 'none') return None()
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? ClientSecretPost(clientSecret.reveal())
    : clientSecretBasic(clientSecret.reveal())
}

/**
 * HTTP Basic, both parts encoded as RFC 6749 appendix B says. openid-client's own escapes `-`, `_` and `.` as well, which
 * the RFC permits and servers that forget to decode take for another client.
 */
function clientSecretBasic(clientSecret: string): ClientAuth {
  return (_server, client, _body, headers) => {
    const credentials = `${formEncode(client.client_id)}:${formEncode(clientSecret)}`
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`)
  }
}

/** application/x-www-form-urlencoded, as the URL standard serialises a value. */
function formEncode(value: string): string {
  return new URLSearchParams({ '': value }).toString().slice(1)
}
