import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTHeaderParameters, SignJWT } from 'jose'
import { Provider } from 'oidc-provider/lib/provider.js'

export type OidcIssuer = {
  readonly issuer: string
  /** How often the keys have been asked for. */
  readonly keyRequests: number
  /** How often its metadata has been asked for. */
  readonly metadataRequests: number
  /** The keys it signs with; the first is used. */
  readonly keys: readonly JWK[]
  /** What its token endpoint gives a client, as the library makes it. */
  accessToken(): Promise<string>
  /** A token signed with its key, like the library's own but for these changes; null removes a claim. */
  sign(change?: {
    readonly claims?: Readonly<Record<string, unknown>>
    readonly header?: Partial<JWTHeaderParameters>
    readonly key?: JWK
  }): Promise<string>
  /** From now on it signs with a new key. */
  rotate(): Promise<void>
  close(): Promise<void>
}

const client = { id: 'backend', secret: 'the-secret-of-the-backend' } as const

async function newKey(kid: string, algorithm: 'RS256' | 'ES256'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' }
}

/** An organisation's OpenID provider: panva's oidc-provider on a socket, which gives out JWT access tokens for `audience`. */
export async function startOidcIssuer(audience: string, algorithm: 'RS256' | 'ES256' = 'RS256'): Promise<OidcIssuer> {
  const counts = { keys: 0, metadata: 0, rotations: 0 }
  const extraClaims: Record<string, unknown> = { roles: ['reader'] }
  const keys = [await newKey('first', algorithm)]
  const server = createServer((request, response) => {
    if (request.url === '/jwks') counts.keys += 1
    if (request.url === '/.well-known/openid-configuration') counts.metadata += 1
    void provider.callback()(request, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has no address')
  const issuer = `http://127.0.0.1:${address.port}`
  const createProvider = () =>
    new Provider(issuer, {
      jwks: { keys },
      clients: [
        {
          client_id: client.id,
          client_secret: client.secret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: algorithm,
        },
      ],
      scopes: ['anything'],
      extraTokenClaims: () => extraClaims,
      ttl: { ClientCredentials: 600 },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => audience,
          getResourceServerInfo: () => ({
            scope: 'anything',
            audience,
            accessTokenTTL: 600,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: algorithm } },
          }),
        },
      },
    })
  let provider = createProvider()

  return {
    issuer,
    keys,
    get keyRequests() {
      return counts.keys
    },
    get metadataRequests() {
      return counts.metadata
    },
    async accessToken() {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'anything' }),
      })
      const { access_token: token } = (await response.json()) as { access_token?: string }
      if (token === undefined) throw new Error(`no token: ${response.status}`)
      return token
    },
    async sign({ claims = {}, header = {}, key = keys[0] } = {}) {
      const now = Math.floor(Date.now() / 1000)
      const all = {
        iss: issuer,
        aud: audience,
        sub: 'ann',
        client_id: client.id,
        scope: 'anything',
        iat: now,
        exp: now + 600,
        ...claims,
      }
      const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
      return new SignJWT(given)
        .setProtectedHeader({ alg: algorithm, typ: 'at+jwt', kid: key?.kid ?? 'none', ...header })
        .sign(await importJWK(key ?? {}, algorithm))
    },
    async rotate() {
      counts.rotations += 1
      keys.unshift(await newKey(`rotated-${counts.rotations}`, algorithm))
      provider = createProvider()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
