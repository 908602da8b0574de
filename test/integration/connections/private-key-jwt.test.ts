import { expect } from 'chai'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { authorize, createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

describe('connect at a server that takes nothing but private_key_jwt', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth

  before(async () => {
    patchbay = await startPatchbay()
    upstream = await startScriptedOAuth({ authMethods: ['private_key_jwt'] })
  })

  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  it('registers with the address of our keys, and signs an assertion that they verify', async () => {
    const id = await createConnector(patchbay, upstream.url)

    const page = await authorize(patchbay, id)

    expect(page.text, patchbay.logs.join('')).to.contain('Authorization Successful')
    const jwksUri = `${patchbay.url}/oauth/client-jwks.json`
    const registration = upstream.received.find(({ target }) => target === '/register')
    expect(JSON.parse(registration?.body ?? '{}')).to.include({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: jwksUri,
    })
    const [request] = upstream.tokenRequests
    expect(request?.form.client_assertion_type).to.equal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    expect(request?.authorization).to.equal(undefined)
    const { payload } = await jwtVerify(request?.form.client_assertion ?? '', createRemoteJWKSet(new URL(jwksUri)), {
      audience: upstream.origin,
      requiredClaims: ['jti', 'exp', 'iat'],
    })
    expect(payload.iss).to.equal(payload.sub)
    expect(payload.iss).to.match(/^client-/)
  })

  it('publishes public parts only, to everybody', async () => {
    const { status, headers, body } = await patchbay.request('GET', '/oauth/client-jwks.json', { key: null })

    expect(status).to.equal(200)
    expect(headers.get('access-control-allow-origin')).to.equal('*')
    expect(body.keys).to.have.length(1)
    expect(body.keys[0]).to.have.all.keys('kty', 'crv', 'x', 'y', 'kid', 'alg', 'use')
  })
})
