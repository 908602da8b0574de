import { type ClientAuth, ClientSecretPost, None, PrivateKeyJwt } from 'openid-client'
import type { SigningKey } from '../vault/stored-keys.ts'
import type { Client } from './client.ts'
import { type ClientPrivateKey, importPrivateKey } from './private-key.ts'

/**
 * How a client authenticates at a token endpoint (RFC 6749 section 2.3.1; RFC 7523 for `private_key_jwt`, with the issuer as
 * the assertion's audience). Without a secret: by its name alone.
 *
 * @param signingKey ours; asked for only when an assertion is to be signed with it
 */
export async function clientAuthentication(
  { clientSecret, privateKey, tokenEndpointAuthMethod }: Client,
  signingKey: () => Promise<SigningKey>,
): Promise<ClientAuth> {
  if (tokenEndpointAuthMethod === 'private_key_jwt') {
    return PrivateKeyJwt(privateKey === undefined ? await signingKey() : await ownKey(privateKey))
  }
  if (clientSecret === undefined || tokenEndpointAuthMethod === 'none') return None()
  return tokenEndpointAuthMethod === 'client_secret_post'
    ? ClientSecretPost(clientSecret.reveal())
    : clientSecretBasic(clientSecret.reveal())
}

async function ownKey(privateKey: ClientPrivateKey): Promise<Parameters<typeof PrivateKeyJwt>[0]> {
  const key = await importPrivateKey(privateKey)
  return privateKey.keyId === null ? key : { key, kid: privateKey.keyId }
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
