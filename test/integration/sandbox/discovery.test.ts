import { request as send } from 'node:http'
import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'

describe('sandbox: discovery', () => {
  let sandbox: Sandbox
  before(async () => {
    sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
  })
  after(() => sandbox.close())

  const json = async (path: string): Promise<Record<string, unknown>> => {
    const response = await fetch(new URL(path, sandbox.issuer))
    expect(response.status, path).to.equal(200)
    return JSON.parse(await response.text())
  }

  for (const method of ['POST', 'GET', 'DELETE']) {
    it(`answers ${method} /mcp without a token with 401 and a challenge (RFC 9728 section 5.1)`, async () => {
      const response = await fetch(sandbox.url, { method })
      expect(response.status).to.equal(401)
      expect(response.headers.get('www-authenticate')).to.equal(
        `Bearer resource_metadata="${sandbox.issuer}/.well-known/oauth-protected-resource/mcp", scope="mcp"`,
      )
    })
  }

  it('names the error when there was a token, and it is no good (RFC 6750 section 3.1)', async () => {
    const response = await fetch(sandbox.url, { headers: { authorization: 'Bearer nonsense' } })
    expect(response.status).to.equal(401)
    expect(response.headers.get('www-authenticate')).to.match(/^Bearer error="invalid_token", /)
  })

  it('serves the protected resource metadata at the path form and at the root (RFC 9728 section 3.1)', async () => {
    const expected = {
      resource: sandbox.url,
      authorization_servers: [sandbox.issuer],
      scopes_supported: ['mcp'],
      bearer_methods_supported: ['header'],
      resource_name: 'Patchbay sandbox',
    }
    expect(await json('/.well-known/oauth-protected-resource/mcp')).to.deep.equal(expected)
    expect(await json('/.well-known/oauth-protected-resource')).to.deep.equal(expected)
  })

  it('serves the metadata of its authorization server (RFC 8414)', async () => {
    const metadata = await json('/.well-known/oauth-authorization-server')
    expect(metadata).to.include({
      issuer: sandbox.issuer,
      authorization_endpoint: `${sandbox.issuer}/oauth/authorize`,
      token_endpoint: `${sandbox.issuer}/oauth/token`,
      registration_endpoint: `${sandbox.issuer}/oauth/register`,
      revocation_endpoint: `${sandbox.issuer}/oauth/revoke`,
      jwks_uri: `${sandbox.issuer}/oauth/jwks.json`,
      authorization_response_iss_parameter_supported: true,
    })
    expect(metadata.code_challenge_methods_supported).to.deep.equal(['S256'])
    expect(metadata.grant_types_supported).to.have.members(['authorization_code', 'refresh_token'])
    expect(metadata.token_endpoint_auth_methods_supported).to.include('none')
    expect(metadata.scopes_supported).to.include('mcp')
  })

  it('publishes public keys only', async () => {
    const { keys } = await json('/oauth/jwks.json')
    expect(keys).to.have.length(1).and.have.nested.property('[0].kty', 'RSA')
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(keys).to.not.have.nested.property(`[0].${secret}`)
  })

  describe('when it is reached by another name', () => {
    const withHost = (host: string): Promise<{ status: number; body: string }> =>
      new Promise((resolve, reject) => {
        const { port } = new URL(sandbox.url)
        const path = '/.well-known/oauth-authorization-server'
        send({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
          let body = ''
          response.setEncoding('utf8').on('data', (text: string) => {
            body += text
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        })
          .on('error', reject)
          .end()
      })

    it('says localhost to those who come by 127.0.0.1', async () => {
      const { status, body } = await withHost(new URL(sandbox.url).host.replace('localhost', '127.0.0.1'))
      expect(status).to.equal(200)
      expect(JSON.parse(body).token_endpoint).to.equal(`${sandbox.issuer}/oauth/token`)
    })

    it('refuses a name that is not its own', async () => {
      const { status, body } = await withHost('evil.example')
      expect(status).to.equal(421)
      expect(body).to.not.include('token_endpoint')
    })
  })

  it('refuses calls from pages of other origins', async () => {
    const response = await fetch(sandbox.url, { method: 'POST', headers: { origin: 'https://evil.example' } })
    expect(response.status).to.equal(403)
  })

  it('rejects with the system error when its port is taken', async () => {
    const port = Number(new URL(sandbox.url).port)
    const failure = await startSandbox({ port, tokenTtlSeconds: 60 }).catch((error: unknown) => error)
    expect(failure).to.have.property('code', 'EADDRINUSE')
  })
})
