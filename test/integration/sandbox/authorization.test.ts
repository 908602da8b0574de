import { expect } from 'chai'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oauth from 'openid-client'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import {
  answerSignIn,
  authorize,
  beginAuthorization,
  callback,
  oauthErrorOf,
  registerClient,
  statusWith,
} from './journey.ts'

describe('sandbox: authorization', () => {
  let sandbox: Sandbox
  let client: oauth.Configuration
  before(async () => {
    sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 42 })
    client = await registerClient(sandbox.issuer)
  })
  after(() => sandbox.close())

  it('gives a code with state and iss, and tokens for it', async () => {
    const attempt = await beginAuthorization(client)
    const arrived = new URL((await answerSignIn(attempt, { fields: { account: 'Bob' } })).url)
    expect(arrived.searchParams.get('state')).to.equal(attempt.state)
    expect(arrived.searchParams.get('iss')).to.equal(sandbox.issuer)

    const tokens = await oauth.authorizationCodeGrant(
      client,
      arrived,
      { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state },
      { resource: sandbox.url },
    )
    expect(tokens).to.include({ token_type: 'bearer', expires_in: 42, scope: 'mcp' })
    expect(tokens.refresh_token).to.be.a('string')
    expect(decodeProtectedHeader(tokens.access_token)).to.include({ alg: 'RS256', typ: 'at+jwt' })
    const claims = decodeJwt(tokens.access_token)
    expect(claims).to.include({ iss: sandbox.issuer, aud: sandbox.url, sub: 'Bob', scope: 'mcp' })
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).to.equal(42)
    expect(await statusWith(sandbox.url, tokens.access_token)).to.equal(200)
  })

  it('takes the resource for granted when the client names none', async () => {
    const attempt = await beginAuthorization(client, { resource: '' })
    const { url } = await answerSignIn(attempt)
    const checks = { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state }
    const tokens = await oauth.authorizationCodeGrant(client, new URL(url), checks)
    expect(decodeJwt(tokens.access_token).aud).to.equal(sandbox.url)
  })

  it('takes a request that names no scope for one that names mcp (RFC 6749 section 3.3)', async () => {
    const attempt = await beginAuthorization(client, { scope: '' })
    const { url } = await answerSignIn(attempt)
    const checks = { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state }
    expect((await oauth.authorizationCodeGrant(client, new URL(url), checks)).scope).to.equal('mcp')
  })

  it('answers access_denied when the person presses Deny', async () => {
    const attempt = await beginAuthorization(client)
    const arrived = new URL((await answerSignIn(attempt, { button: 'Deny' })).url)
    expect(arrived.href.startsWith(callback)).to.equal(true)
    expect(Object.fromEntries(arrived.searchParams)).to.include({
      error: 'access_denied',
      state: attempt.state,
      iss: sandbox.issuer,
    })
    expect(arrived.searchParams.has('code')).to.equal(false)
  })

  it('redeems a code once, and revokes what came of it when it is tried again', async () => {
    const attempt = await beginAuthorization(client)
    const arrived = new URL((await answerSignIn(attempt)).url)
    const redeem = () =>
      oauth.authorizationCodeGrant(client, arrived, {
        pkceCodeVerifier: attempt.verifier,
        expectedState: attempt.state,
      })
    const tokens = await redeem()
    expect(await statusWith(sandbox.url, tokens.access_token)).to.equal(200)
    expect(await oauthErrorOf(redeem())).to.equal('invalid_grant')
    expect(await statusWith(sandbox.url, tokens.access_token)).to.equal(401)
  })

  it('refuses a code with another verifier', async () => {
    const attempt = await beginAuthorization(client)
    const arrived = new URL((await answerSignIn(attempt)).url)
    const redeemed = oauth.authorizationCodeGrant(client, arrived, {
      pkceCodeVerifier: oauth.randomPKCECodeVerifier(),
      expectedState: attempt.state,
    })
    expect(await oauthErrorOf(redeemed)).to.equal('invalid_grant')
  })

  const refusals: readonly [string, Readonly<Record<string, string>>, string][] = [
    ['without PKCE', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    ['with PKCE method plain', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['for another resource', { resource: 'https://other.example/mcp' }, 'invalid_target'],
    ['for the implicit flow', { response_type: 'token' }, 'unsupported_response_type'],
  ]
  for (const [what, parameters, error] of refusals) {
    it(`refuses a request ${what} with ${error}`, async () => {
      const { url } = await beginAuthorization(client, parameters)
      const response = await fetch(url, { redirect: 'manual' })
      const location = new URL(response.headers.get('location') ?? 'about:blank')
      expect(location.searchParams.get('error') ?? new URLSearchParams(location.hash.slice(1)).get('error')).to.equal(
        error,
      )
    })
  }

  it('never redirects to an address that was not registered', async () => {
    const { url } = await beginAuthorization(client, { redirect_uri: 'http://localhost:9/elsewhere' })
    const response = await fetch(url, { redirect: 'manual' })
    expect(response.status).to.equal(400)
    expect(response.headers.has('location')).to.equal(false)
    expect(await response.text()).to.include('redirect_uri')
  })

  it('lets a token without the scope in nowhere, and says which it lacks (RFC 6750 section 3.1)', async () => {
    const attempt = await beginAuthorization(client, { scope: 'offline_access', prompt: 'consent' })
    const { url } = await answerSignIn(attempt)
    const checks = { pkceCodeVerifier: attempt.verifier, expectedState: attempt.state }
    const tokens = await oauth.authorizationCodeGrant(client, new URL(url), checks)
    const response = await fetch(sandbox.url, { headers: { authorization: `Bearer ${tokens.access_token}` } })
    expect(response.status).to.equal(403)
    expect(response.headers.get('www-authenticate')).to.match(/error="insufficient_scope".* scope="mcp"$/)
  })

  describe('registration', () => {
    it('takes clients with a secret too', async () => {
      const metadata = { token_endpoint_auth_method: 'client_secret_basic' }
      const confidential = await registerClient(sandbox.issuer, metadata, oauth.ClientSecretBasic())
      expect(confidential.clientMetadata().client_secret).to.be.a('string')
      const tokens = await authorize(confidential, 'Carol')
      expect(decodeJwt(tokens.access_token).sub).to.equal('Carol')
    })

    for (const redirect of ['cursor://anysphere/callback', 'http://127.0.0.1:4711/cb', 'https://app.example/cb']) {
      it(`takes the redirect ${redirect}`, async () => {
        const registered = await registerClient(sandbox.issuer, { redirect_uris: [redirect] })
        expect(registered.clientMetadata().client_id).to.be.a('string')
      })
    }

    for (const redirect of ['http://app.example/cb', 'javascript:alert(1)', 'not a url', 'https://app.example/#x']) {
      it(`refuses the redirect ${redirect}`, async () => {
        const registered = registerClient(sandbox.issuer, { redirect_uris: [redirect] })
        expect(await oauthErrorOf(registered)).to.be.oneOf(['invalid_redirect_uri', 'invalid_client_metadata'])
      })
    }

    it('knows a public client again after a restart', async () => {
      const port = Number(new URL(sandbox.url).port)
      await sandbox.close()
      sandbox = await startSandbox({ port, tokenTtlSeconds: 42 })
      const tokens = await authorize(client, 'Dora')
      expect(decodeJwt(tokens.access_token).sub).to.equal('Dora')
    })
  })
})
