import { expect } from 'chai'
import * as oauth from 'openid-client'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { until } from '../../support/until.ts'
import { authorize, oauthErrorOf, refreshTokenOf, registerClient, statusWith } from './journey.ts'

describe('sandbox: refresh and revocation', () => {
  let sandbox: Sandbox
  let client: oauth.Configuration
  before(async () => {
    sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    client = await registerClient(sandbox.issuer)
  })
  after(() => sandbox.close())

  it('gives a new refresh token each time, for the same resource', async () => {
    const first = await authorize(client)
    const second = await oauth.refreshTokenGrant(client, refreshTokenOf(first), { resource: sandbox.url })
    expect(second.refresh_token).to.be.a('string').that.is.not.equal(first.refresh_token)
    expect(await statusWith(sandbox.url, second.access_token)).to.equal(200)
    const third = await oauth.refreshTokenGrant(client, refreshTokenOf(second))
    expect(third.refresh_token).to.not.be.oneOf([first.refresh_token, second.refresh_token])
    expect(await statusWith(sandbox.url, third.access_token)).to.equal(200)
  })

  it('revokes the whole family when an old refresh token is used again (RFC 9700 section 4.14.2)', async () => {
    const first = await authorize(client)
    const second = await oauth.refreshTokenGrant(client, refreshTokenOf(first))
    expect(await statusWith(sandbox.url, second.access_token)).to.equal(200)

    expect(await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(first)))).to.equal('invalid_grant')

    expect(await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(second)))).to.equal('invalid_grant')
    expect(await statusWith(sandbox.url, first.access_token)).to.equal(401)
    expect(await statusWith(sandbox.url, second.access_token)).to.equal(401)
  })

  it('leaves other families alone', async () => {
    const [mine, theirs] = await Promise.all([authorize(client, 'Alice'), authorize(client, 'Bob')])
    await oauth.refreshTokenGrant(client, refreshTokenOf(mine))
    await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(mine)))
    expect(await statusWith(sandbox.url, mine.access_token)).to.equal(401)
    expect(await statusWith(sandbox.url, theirs.access_token)).to.equal(200)
    expect(await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(theirs)))).to.equal('none')
  })

  it("refuses another client's refresh token", async () => {
    const tokens = await authorize(client)
    const other = await registerClient(sandbox.issuer)
    expect(await oauthErrorOf(oauth.refreshTokenGrant(other, refreshTokenOf(tokens)))).to.equal('invalid_grant')
    expect(await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(tokens)))).to.equal('none')
  })

  it('revokes the refresh token, and with it the access token (RFC 7009 section 2.1)', async () => {
    const tokens = await authorize(client)
    await oauth.tokenRevocation(client, refreshTokenOf(tokens))
    expect(await oauthErrorOf(oauth.refreshTokenGrant(client, refreshTokenOf(tokens)))).to.equal('invalid_grant')
    expect(await statusWith(sandbox.url, tokens.access_token)).to.equal(401)
  })

  it('refuses an access token once its time is over, and takes the next one', async () => {
    const brief = await startSandbox({ port: 0, tokenTtlSeconds: 1 })
    try {
      const owner = await registerClient(brief.issuer)
      const tokens = await authorize(owner)
      expect(await statusWith(brief.url, tokens.access_token)).to.equal(200)
      await until('the token to expire', async () => (await statusWith(brief.url, tokens.access_token)) === 401)
      const next = await oauth.refreshTokenGrant(owner, refreshTokenOf(tokens))
      expect(await statusWith(brief.url, next.access_token)).to.equal(200)
    } finally {
      await brief.close()
    }
  })
})
