import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { exportJWK, SignJWT } from 'jose'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createTokenMint, type MintedGrant, type TokenMint } from '../../support/token-mint.ts'
import { until } from '../../support/until.ts'
import { startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
}
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('access tokens of ours at the MCP endpoint', () => {
  let patchbay: Patchbay
  let mint: TokenMint
  let upstream: { url: string; close(): Promise<void> }
  let connector: string
  let other: string
  let grant: MintedGrant

  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth()])
    mint = createTokenMint(patchbay)
    connector = await createConnector(patchbay, upstream.url, { credential_scope: 'user' })
    other = await createConnector(patchbay, `${upstream.url}?other`, { credential_scope: 'user' })
    grant = await mint.grant(connector, 'alice')
  })
  after(async () => {
    await mint.close()
    await patchbay.close()
    await upstream.close()
  })

  const call = (token: string | null, path = `/connectors/${connector}/mcp`) =>
    patchbay.request('POST', path, {
      key: token,
      body: initialize,
      headers: { accept: 'application/json, text/event-stream' },
    })
  const refusal = async (token: string) => {
    const answer = await call(token)
    return `${answer.status} ${answer.headers.get('www-authenticate')?.split(',', 1)[0]}`
  }
  const refused = '401 Bearer error="invalid_token"'

  it('are taken, with either URL of the connector as audience and at either', async () => {
    const paths = [`/connectors/${connector}/mcp`, `/api/v1/connectors/${connector}/mcp`]
    for (const audience of paths) {
      const token = await mint.token(connector, grant, { claims: { aud: patchbay.url + audience } })
      for (const path of paths) expect((await call(token, path)).status, `${audience} at ${path}`).to.equal(200)
    }
  })

  it('stand beside API keys', async () => {
    const key = await patchbay.createKey({ subject: 'bob' })
    expect((await call(key)).status).to.equal(200)
    expect((await call('pbk_unknown')).status).to.equal(401)
  })

  // @guards src/authorization-server/connector-resource.ts:connectorResources
  it('TK-03: open no other connector, by no spelling of the audience', async () => {
    const token = await mint.token(connector, grant)
    const answer = await call(token, `/connectors/${other}/mcp`)
    expect(answer.status).to.equal(401)
    expect(answer.headers.get('www-authenticate')).to.include(
      `resource_metadata="${patchbay.url}/.well-known/oauth-protected-resource/connectors/${other}/mcp"`,
    )
    const resource = `${patchbay.url}/connectors/${connector}/mcp`
    for (const aud of [
      [resource],
      [resource, 'https://other.example'],
      null,
      patchbay.url,
      `${resource}/`,
      `${resource}x`,
      resource.slice(0, -4),
      resource.replace('localhost', '127.0.0.1'),
      resource.toUpperCase(),
    ]) {
      expect(await refusal(await mint.token(connector, grant, { claims: { aud } })), String(aud)).to.equal(refused)
    }
    for (const iss of [
      null,
      `${patchbay.url}/`,
      'https://evil.example',
      patchbay.url.replace('localhost', '127.0.0.1'),
    ])
      expect(await refusal(await mint.token(connector, grant, { claims: { iss } })), String(iss)).to.equal(refused)
  })

  it('TK-03: belong to their grant: another connector’s, client’s or person’s is refused', async () => {
    const elsewhere = await mint.grant(other, 'alice')
    expect(await refusal(await mint.token(connector, elsewhere))).to.equal(refused)
    for (const claims of [{ client_id: 'another' }, { sub: elsewhere.id }, { grant_id: null }, { grant_id: 'x' }])
      expect(await refusal(await mint.token(connector, grant, { claims }))).to.equal(refused)
  })

  // @guards src/authorization-server/read-access-token.ts:createKeySets
  it('TK-01: must be signed by our key with RS256; keys they bring and tricks with alg are refused', async () => {
    const token = await mint.token(connector, grant)
    const [head = '', payload = '', signature = ''] = token.split('.')
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString())
    const [published] = (await mint.keys.published()).keys
    if (published === undefined) throw new Error('no key')
    const pem = createPublicKey({ key: published, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const strangerJwk = await exportJWK(stranger.publicKey)
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const bySomebody = (header: object) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header }).sign(stranger.privateKey)
    const hmac = (key: string | Buffer) => {
      const start = `${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${payload}`
      return `${start}.${createHmac('sha256', key).update(start).digest('base64url')}`
    }
    const forged: Record<string, string> = {
      ...Object.fromEntries(
        ['none', 'None', 'nOnE', 'ES256', 'PS256'].map((alg) => [
          alg,
          `${encode({ alg, typ: 'at+jwt', kid })}.${payload}.${alg === 'ES256' ? Buffer.alloc(64).toString('base64url') : signature}`,
        ]),
      ),
      'none without signature': `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`,
      'HS256 with the public PEM': hmac(String(pem)),
      'HS256 with the public JWK': hmac(JSON.stringify(published)),
      'a stranger under our kid': await bySomebody({ kid }),
      'a stranger with its jwk': await bySomebody({ kid, jwk: strangerJwk }),
      'a stranger with a jku': await bySomebody({ kid, jku: 'https://evil.example/jwks' }),
      'an unknown kid': await bySomebody({ kid: 'unknown' }),
      'no kid': await bySomebody({}),
      'another payload': `${head}.${encode({ ...claims, sub: 'x' })}.${signature}`,
    }
    for (const [name, value] of Object.entries(forged)) expect(await refusal(value), name).to.equal(refused)
    const ours = { header: { jwk: strangerJwk } }
    expect(await refusal(await mint.token(connector, grant, ours)), 'ours, with a jwk').to.equal(refused)
    expect((await call(token)).status, 'control').to.equal(200)
  })

  // @guards src/authorization-server/read-access-token.ts:createReadAccessToken
  it('TK-02: must be of type at+jwt', async () => {
    for (const typ of ['JWT', 'jwt', 'id+jwt', 'connect+jwt', ''])
      expect(await refusal(await mint.token(connector, grant, { header: { typ } })), typ).to.equal(refused)
  })

  // @guards src/authorization-server/read-access-token.ts:createReadAccessToken
  it('TK-04: must be in time, by numbers, and live no longer than ours do', async () => {
    const now = Math.floor(Date.now() / 1000)
    for (const claims of [
      { exp: now - 61 },
      { exp: String(now + 60) },
      { exp: -1 },
      { exp: 1e20 },
      { exp: now + 60.5 },
      { exp: null },
      { iat: null },
      { nbf: now + 61 },
      { exp: now + 90_000 },
    ]) {
      const token = await mint.token(connector, grant, { claims })
      expect(await refusal(token), JSON.stringify(claims)).to.equal(refused)
    }
    expect((await call(await mint.token(connector, grant, { claims: { exp: now - 5 } }))).status).to.equal(200)
  })

  // @guards src/storage/grant-store.ts:createPrismaGrantStore
  it('TK-05: end with their grant, also where they were good a moment ago', async () => {
    const fresh = await mint.grant(connector, 'carol')
    const token = await mint.token(connector, fresh)
    expect((await call(token)).status).to.equal(200)
    await mint.revoke(fresh)
    await until('the revocation to be heard of', async () => (await call(token)).status === 401, 1000)
    expect(await refusal(token)).to.equal(refused)
  })

  it('TK-05: end with their connector', async () => {
    const gone = await createConnector(patchbay, `${upstream.url}?gone`, { credential_scope: 'user' })
    const token = await mint.token(gone, await mint.grant(gone, 'alice'))
    expect((await call(token, `/connectors/${gone}/mcp`)).status).to.equal(200)
    await patchbay.request('DELETE', `/api/v1/connectors/${gone}`)
    const status = async () => (await call(token, `/connectors/${gone}/mcp`)).status
    await until('the deletion to be heard of', async () => (await status()) === 401, 1000)
  })

  it('TK-06: without the scope they get one complete 403', async () => {
    const answer = await call(await mint.token(connector, grant, { claims: { scope: 'other mcps' } }))
    expect(answer.status).to.equal(403)
    expect(answer.headers.get('www-authenticate')).to.equal(
      `Bearer error="insufficient_scope", scope="mcp", resource_metadata="${patchbay.url}/.well-known/oauth-protected-resource/connectors/${connector}/mcp"`,
    )
  })

  // @guards src/access/verify-caller.ts:createVerifyCaller
  it('TK-09: open nothing of the REST API', async () => {
    const token = await mint.token(connector, grant)
    for (const [method, path] of [
      ['GET', '/api/v1/connectors'],
      ['GET', `/api/v1/connectors/${connector}`],
      ['POST', `/api/v1/connectors/${connector}/connect`],
      ['DELETE', `/api/v1/connectors/${connector}`],
    ] as const)
      expect((await patchbay.request(method, path, { key: token })).status, `${method} ${path}`).to.equal(401)
  })
})

describe('GET /.well-known/oauth-protected-resource/connectors/{id}/mcp', () => {
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  const id = '019b0000-0000-7000-8000-000000000001'

  for (const path of [`/connectors/${id}/mcp`, `/api/v1/connectors/${id}/mcp`]) {
    it(`describes ${path} by its own URL, whether or not there is such a connector`, async () => {
      const answer = await patchbay.request('GET', `/.well-known/oauth-protected-resource${path}`, { key: null })
      expect(answer.status).to.equal(200)
      expect(answer.headers.get('access-control-allow-origin')).to.equal('*')
      expect(answer.body).to.include({ resource: patchbay.url + path })
      expect(answer.body).to.deep.include({
        authorization_servers: [patchbay.url],
        scopes_supported: ['mcp'],
        bearer_methods_supported: ['header'],
      })
    })
  }

  it('is not there for anything else', async () => {
    for (const path of ['', '/connectors', `/connectors/${id}`, `/connectors/${id}/mcp/`, '/connectors/x/mcp'])
      expect((await patchbay.request('GET', `/.well-known/oauth-protected-resource${path}`)).status, path).to.equal(404)
  })
})
