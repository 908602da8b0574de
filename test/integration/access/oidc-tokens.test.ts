import { createHmac, createPublicKey, randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { exportJWK, generateKeyPair } from 'jose'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type OidcIssuer, startOidcIssuer } from '../../support/upstreams/oidc-issuer.ts'
import { type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../../support/upstreams/serve-mcp.ts'

const audience = 'https://patchbay.example/api'
const connectors = '/api/v1/connectors'

describe("tokens of the organisation's issuer", () => {
  let issuer: OidcIssuer
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  let connectorId: string

  before(async () => {
    issuer = await startOidcIssuer(audience)
    upstream = await startScriptedUpstream(serveMcp)
    patchbay = await startPatchbay({
      env: {
        OIDC_ISSUER: issuer.issuer,
        OIDC_AUDIENCE: audience,
        OIDC_TENANT_CLAIM: 'org.slug',
        OIDC_KIND_CLAIM: 'kind',
      },
    })
    await patchbay.createKey({ subject: 'somebody', tenant: 'acme' })
    connectorId = await createConnector(patchbay, upstream.url, { key: await sign() })
    await patchbay.request('POST', `${connectors}/${connectorId}/connect`, { key: await sign(), body: {} })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
    await issuer.close()
  })

  const acme = { org: { slug: 'acme' } }
  const sign = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
    issuer.sign({ claims: { ...acme, ...claims }, header })
  const list = (key: string) => patchbay.request('GET', connectors, { key })
  const call = (key: string) =>
    patchbay.request('POST', `/connectors/${connectorId}/mcp`, {
      key,
      body: { jsonrpc: '2.0', id: 1, method: 'nothing' },
    })
  /** The same answer from both doors. */
  async function statusOf(key: string): Promise<number> {
    const [api, mcp] = [await list(key), await call(key)]
    expect(api.status, api.text).to.equal(mcp.status)
    return api.status
  }

  it('open the API and the MCP endpoint', async () => {
    expect(await statusOf(await sign())).to.equal(200)
    expect((await list(await sign())).body.items.map(({ id }: { id: string }) => id)).to.deep.equal([connectorId])
  })

  it('are taken as the issuer makes them', async () => {
    const own = await startOidcIssuer(audience, 'ES256')
    const other = await startPatchbay({ env: { OIDC_ISSUER: own.issuer, OIDC_AUDIENCE: audience } })
    const key = await own.accessToken()
    expect((await other.request('GET', connectors, { key })).status).to.equal(200)
    await other.close()
    await own.close()
  })

  it('are one principal with the API keys of the same subject', async () => {
    const key = await patchbay.createKey({ subject: 'ben', tenant: 'acme' })
    const id = await createConnector(patchbay, `${upstream.url}?ben`, { key })
    expect((await patchbay.request('GET', `${connectors}/${id}`, { key: await sign({ sub: 'ben' }) })).status).to.equal(
      200,
    )
    expect((await patchbay.request('GET', `${connectors}/${id}`, { key: await sign() })).status).to.equal(404)
  })

  it('say what somebody may do: roles, kind, and scopes of ours', async () => {
    const admin = await sign({ sub: 'root', roles: ['patchbay-admin'] })
    const body = { url: `${upstream.url}?shared` }
    expect((await patchbay.request('POST', connectors, { key: admin, body })).body.credential_scope).to.equal('tenant')
    const reading = await sign({ scope: 'openid connectors:read' })
    expect([(await list(reading)).status, (await call(reading)).status]).to.deep.equal([200, 403])
    expect(await statusOf(await sign({ kind: 'robot' }))).to.equal(401)
    const noAdmin = await sign({ scope: 'admin connectors:read' })
    expect((await patchbay.request('POST', connectors, { key: noAdmin, body })).status).to.equal(403)
  })

  it('TN-01: of an unknown tenant, or of none, are refused', async () => {
    expect(await statusOf(await sign({ org: { slug: 'nobody' } }))).to.equal(401)
    expect(await statusOf(await sign({ org: null }))).to.equal(401)
    expect(await statusOf(await sign({ org: { slug: ['acme'] } }))).to.equal(401)
  })

  // @guards src/access/verify-oidc-token.ts:createVerifyOidcToken
  it('TK-01: with another algorithm, a key inside, or a key of somebody else are refused', async () => {
    const [header = '', payload = ''] = (await sign()).split('.')
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [publicJwk = {}] = issuer.keys
    const pem = createPublicKey({ key: publicJwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const forged = (alg: string, sign: (input: string) => string) => {
      const input = `${encode({ alg, typ: 'at+jwt', kid: 'first' })}.${payload}`
      return `${input}.${sign(input)}`
    }
    const hmac = (input: string) => createHmac('sha256', pem).update(input).digest('base64url')
    const stranger = { ...(await exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey)) }
    const tokens = {
      none: forged('none', () => ''),
      nOnE: forged('nOnE', () => ''),
      'HS256 over the public key': forged('HS256', hmac),
      'ES256 with zeroes': forged('ES256', () => Buffer.alloc(64).toString('base64url')),
      'no signature': `${header}.${payload}.`,
      "somebody else's key": await issuer.sign({ claims: acme, key: { ...stranger, kid: 'first' } }),
      'a key inside': await issuer.sign({
        claims: acme,
        key: { ...stranger, kid: 'first' },
        header: { jwk: { kty: 'RSA', n: stranger.n ?? '', e: stranger.e ?? '' } },
      }),
      jku: await sign({}, { jku: `${issuer.issuer}/jwks` }),
      x5u: await sign({}, { x5u: 'https://attacker.example/' }),
    }
    for (const [what, token] of Object.entries(tokens)) expect(await statusOf(token), what).to.equal(401)
  })

  it('TK-01: with keys that nobody knows do not make us ask for each', async () => {
    await statusOf(await sign())
    const before = issuer.keyRequests
    for (let count = 0; count < 20; count += 1) {
      expect((await list(await sign({}, { kid: randomUUID() }))).status).to.equal(401)
    }
    expect(issuer.keyRequests - before).to.be.at.most(1)
    expect(issuer.metadataRequests).to.equal(1)
  })

  // @guards src/access/verify-oidc-token.ts:createVerifyOidcToken
  it('TK-02: that are no access tokens are refused', async () => {
    for (const [claims, header] of [
      [{ nonce: 'n' }, { typ: 'JWT' }],
      [{ at_hash: 'h' }, { typ: 'JWT' }],
      [{ scope: null, client_id: null }, { typ: 'JWT' }],
      [{ typ: 'ID' }, { typ: 'JWT' }],
      [{ typ: 'Refresh' }, { typ: 'JWT' }],
      [{ token_use: 'id' }, {}],
      [{}, { typ: 'logout+jwt' }],
      [{}, { typ: 'dpop+jwt' }],
    ] as const) {
      const status = await statusOf(await sign(claims, header))
      const isTypedAccess = !('typ' in header)
      expect(status, JSON.stringify([claims, header])).to.equal(isTypedAccess ? 200 : 401)
    }
    expect(await statusOf(await sign({ typ: 'Bearer' }, { typ: 'JWT' })), 'as Keycloak makes them').to.equal(200)
  })

  // @guards src/access/verify-oidc-token.ts:createVerifyOidcToken
  it('TK-04: out of time, for others, or of others are refused', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const claims of [
      { exp: now - 31 },
      { exp: `${now + 600}` },
      { exp: 1e20 },
      { exp: -1 },
      { exp: null },
      { exp: now + 90_000 },
      { iat: now + 90, exp: now + 600 },
      { iat: null },
      { nbf: now + 90 },
      { sub: null },
      { sub: '' },
      { iss: `${issuer.issuer}/` },
      { iss: null },
      { aud: null },
      { aud: 'https://patchbay.example' },
      { aud: ['https://patchbay.example/api/v1', 'x'] },
    ]) {
      expect(await statusOf(await sign(claims)), JSON.stringify(claims)).to.equal(401)
    }
    expect(await statusOf(await sign({ exp: now - 10, aud: [audience, 'account'] })), 'within the leeway').to.equal(200)
  })

  it('TK-08: that are too long are refused unread', async () => {
    expect(await statusOf(await sign({ long: 'x'.repeat(9000) }))).to.equal(400)
  })

  it('go on through a change of keys', async () => {
    const own = await startOidcIssuer(audience)
    const other = await startPatchbay({ env: { OIDC_ISSUER: own.issuer, OIDC_AUDIENCE: audience } })
    const status = async (key: string) => (await other.request('GET', connectors, { key })).status
    const old = await own.sign()
    await own.rotate()
    expect(await status(await own.sign())).to.equal(200)
    expect(await status(old)).to.equal(200)
    await other.close()
    await own.close()
  })

  it('are refused with a 503, quickly, while the issuer cannot be reached', async () => {
    const gone = await startOidcIssuer(audience)
    const other = await startPatchbay({ env: { OIDC_ISSUER: gone.issuer, OIDC_AUDIENCE: audience } })
    const key = await gone.sign()
    await gone.close()
    const answer = await other.request('GET', connectors, { key })
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).to.deep.equal([
      503,
      'issuer_unavailable',
      '1',
    ])
    expect((await other.request('GET', connectors)).status, 'API keys go on').to.equal(200)
    await other.close()
  })
})
