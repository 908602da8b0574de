import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import * as oauth from 'openid-client'
import { createBrowser } from './browser.ts'
import { launchProcess } from './launch-process.ts'
import { connectClient, connectSdk1Client } from './mcp-clients.ts'
import { startModernServer } from './modern-server.ts'
import { respond, startScriptedUpstream } from './scripted-upstream.ts'
import { type SimpleOAuthUpstream, startSdkSimpleOAuth } from './sdk-simple-oauth.ts'
import { startServerEverything } from './server-everything.ts'
import type { Upstream } from './upstream.ts'

/** Whether something listens at the port of `url`, at another loopback address than the one it names. */
async function isReachableElsewhere(url: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.2', port: Number(new URL(url).port) })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

describe('startServerEverything', () => {
  let upstream: Upstream
  before(async () => {
    upstream = await startServerEverything()
  })
  after(() => upstream.close())

  it('serves sessions to clients of both SDK lines, on 127.0.0.1 alone', async () => {
    const [second, first] = await Promise.all([connectClient('legacy', upstream), connectSdk1Client(upstream)])
    expect((await second.client.listTools()).tools.map(({ name }) => name)).to.include('echo')
    expect((await first.client.listTools()).tools.map(({ name }) => name)).to.include('echo')
    expect(second.transport.sessionId).to.be.a('string')
    await Promise.all([second.close(), first.close()])
    expect(await isReachableElsewhere(upstream.url)).to.equal(false)
  })

  it('does not speak 2026-07-28', async () => {
    const failure = await connectClient('modern', upstream).catch((error: unknown) => error)
    expect(failure).to.be.instanceOf(Error)
  })
})

describe('startModernServer', () => {
  let upstream: Upstream
  before(async () => {
    upstream = await startModernServer()
  })
  after(() => upstream.close())

  it('speaks 2026-07-28, with progress', async () => {
    const { client, close } = await connectClient('modern', upstream)
    const shouted = await client.callTool({ name: 'shout', arguments: { text: 'hi' } })
    expect(shouted.content).to.deep.equal([{ type: 'text', text: 'HI' }])
    let steps = 0
    const onprogress = (): void => {
      steps += 1
    }
    await client.callTool({ name: 'count', arguments: { n: 3 } }, { onprogress })
    expect(steps).to.equal(3)
    await close()
  })

  it('speaks nothing older', async () => {
    const failure = await connectClient('legacy', upstream).catch((error: unknown) => error)
    expect(failure).to.be.instanceOf(Error)
  })
})

describe('startSdkSimpleOAuth', () => {
  let upstream: SimpleOAuthUpstream
  before(async () => {
    upstream = await startSdkSimpleOAuth()
  })
  after(() => upstream.close())

  it('asks for a token, gives one for the resource without a refresh token, and takes it', async () => {
    expect((await fetch(upstream.url, { method: 'POST' })).status).to.equal(401)
    const callback = 'http://localhost:9/callback'
    const client = await oauth.dynamicClientRegistration(
      new URL(upstream.issuer),
      { redirect_uris: [callback], token_endpoint_auth_method: 'none' },
      oauth.None(),
      { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] },
    )
    expect(client.serverMetadata().issuer).to.equal(upstream.issuer).and.match(/\/$/)
    const pkceCodeVerifier = oauth.randomPKCECodeVerifier()
    const url = oauth.buildAuthorizationUrl(client, {
      redirect_uri: callback,
      resource: upstream.url,
      code_challenge: await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const arrived = await createBrowser({ stopAt: [callback] }).open(url.href)
    const tokens = await oauth.authorizationCodeGrant(client, new URL(arrived.url), { pkceCodeVerifier })
    expect(tokens.refresh_token).to.equal(undefined)

    const headers = { authorization: `Bearer ${tokens.access_token}` }
    const { client: mcp, close } = await connectClient('legacy', { url: upstream.url, headers })
    const greeting = await mcp.callTool({ name: 'greet', arguments: { name: 'Ann' } })
    expect(greeting.content).to.deep.equal([{ type: 'text', text: 'Hello, Ann!' }])
    await close()
  })

  it('listens on 127.0.0.1 alone, with both of its servers', async () => {
    const control = await startScriptedUpstream(() => respond(204), '127.0.0.2')
    expect(await isReachableElsewhere(control.url), 'negative control').to.equal(true)
    await control.close()
    expect(await isReachableElsewhere(upstream.url)).to.equal(false)
    expect(await isReachableElsewhere(upstream.issuer)).to.equal(false)
  })
})

describe('launchProcess', () => {
  it('fails with what the process wrote', async () => {
    const failure = await launchProcess({
      name: 'a broken server',
      script: fileURLToPath(import.meta.url),
      preload: ["data:text/javascript,console.error('cannot find my socks');process.exit(3)"],
    }).catch((error: unknown) => error)
    expect(failure)
      .to.have.property('message')
      .that.matches(/a broken server did not start: ended with 3\n.*my socks/)
  })
})
