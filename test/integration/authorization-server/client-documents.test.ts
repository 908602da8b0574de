import { expect } from 'chai'
import { type ClientDocument, publishClientDocument } from '../../support/client-document.ts'
import { createConnector } from '../../support/connecting.ts'
import { hostBrowser, hostCallback } from '../../support/host.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'
import { startCanaries } from '../egress/canary.ts'

const metadata = { client_name: 'A published host', redirect_uris: [hostCallback] }

describe('clients that are known by their metadata document', function () {
  this.timeout(60_000)
  const documents: ClientDocument[] = []
  const patchbays: Patchbay[] = []
  let first: { patchbay: Patchbay; document: ClientDocument; host: RawHost }

  before(async () => {
    first = await start()
  })
  after(async () => {
    for (const patchbay of patchbays.reverse()) await patchbay.close()
    for (const document of documents) await document.close()
  })

  type Start = { shape?: object; sharing?: Patchbay; env?: Record<string, string> }
  async function start({ shape = metadata as object, sharing, env = {} }: Start = {}) {
    const document = await publishClientDocument(shape)
    documents.push(document)
    const patchbay = await startPatchbay({
      env: {
        EGRESS_ALLOW: document.host,
        REGISTRATIONS_PER_MINUTE: '1000',
        ...env,
        ...(sharing === undefined ? {} : { PUBLIC_URL: sharing.url }),
      },
      egress: document.egress,
      ...(sharing === undefined ? {} : { sharing }),
    })
    patchbays.push(patchbay)
    const connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', {
      credential_scope: 'tenant',
      label: String(patchbays.length),
    })
    return { patchbay, document, host: createRawHost(patchbay, connector) }
  }
  const titleFor = async (host: RawHost, clientId: string, change = {}) =>
    (await hostBrowser().open(host.authorizationUrl(clientId, change))).title
  const unknown = 'We do not know this app'

  it('CN-04: shows the host that publishes it', async () => {
    const page = await first.host.openConsent(first.host.authorizationUrl(first.document.url))
    expect(page.text).to.include(`published by ${new URL(first.document.url).host}`)
  })

  // @guards src/authorization-server/fetch-client.ts:readDocument
  it('RG-08: judges the address as it is written, before anything is fetched', async () => {
    const { document, host } = first
    const before = document.requests()
    const base = `https://${document.host}`
    const addresses = ['/', '', '/a/../client.json', '/%2e%2e/client.json', '/client.json#x', '/a b', '/a\\b'].map(
      (path) => base + path,
    )
    addresses.push(document.url.replace('https', 'http'), document.url.replace('//', '//user@'))
    for (const address of addresses) expect(await titleFor(host, address), address).to.equal(unknown)
    expect(document.requests()).to.equal(before)
  })

  // @guards src/authorization-server/fetch-client.ts:readDocument
  it('RG-08: judges what the document says', async () => {
    const { document, host } = await start()
    const good = { client_id: document.url, ...metadata }
    const replies: [string, object][] = [
      ['another id', { body: { ...good, client_id: `${document.url}?` } }],
      ['no id', { body: metadata }],
      ['a list', { body: [good] }],
      ['no JSON', { body: '<html>' }],
      ['too long', { body: { ...good, client_name: 'x'.repeat(200), unknown: 'x'.repeat(5200) } }],
      ['a secret', { body: { ...good, client_secret: 'x' } }],
      ['a shared secret', { body: { ...good, token_endpoint_auth_method: 'client_secret_post' } }],
      [
        'a private key',
        { body: { ...good, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'RSA', d: 'x' }] } } },
      ],
      ['plain http', { body: { ...good, client_uri: 'http://pinned.test/' } }],
      ['no redirect', { body: { ...good, redirect_uris: [] } }],
      ['a redirect elsewhere', { status: 302, headers: { location: `${document.url}/2` }, body: good }],
      ['not found', { status: 404, body: good }],
      ['another status', { status: 203, body: good }],
    ]
    for (const [what, reply] of replies) {
      document.answer(reply)
      expect(await titleFor(host, document.url), what).to.equal(unknown)
    }
    document.answer({})
    expect(await titleFor(host, document.url), 'RG-10: a failure is not remembered').to.equal('Who are you?')
  })

  // @guards src/egress/guarded-connector.ts:createGuardedLookup
  it('RG-09: asks nobody inside', async () => {
    const canary = await startCanaries(['127.0.0.1', '::1'])
    // where the port alone is no reason to refuse
    const { host, patchbay } = await start({ env: { EGRESS_PORTS: `443,${canary.port}` } })
    const inside = [
      'https://169.254.169.254/x',
      `https://localhost:${canary.port}/x`,
      `https://127.0.0.1:${canary.port}/x`,
      // a name that leads inside
      `https://rebound.test:${canary.port}/x`,
      `${patchbay.url.replace('http:', 'https:')}/x`,
    ]
    for (const address of inside) expect(await titleFor(host, address), address).to.equal(unknown)
    expect(canary.connections()).to.equal(0)
    await canary.close()
  })

  // @guards src/authorization-server/authorization-server.ts:make
  it('RG-10: fetches a document once a minute at most, however many ask', async () => {
    const { document, host } = await start()
    document.answer({ headers: { 'cache-control': 'max-age=0' } })
    const titles = await Promise.all(Array.from({ length: 10 }, () => titleFor(host, document.url)))
    expect(new Set(titles)).to.deep.equal(new Set(['Who are you?']))
    expect(await titleFor(host, document.url)).to.equal('Who are you?')
    expect(document.requests()).to.equal(1)
  })

  // @guards src/authorization-server/fetch-client.ts:createFetchClient
  it('RG-11: goes on refreshing while the document is out of reach', async () => {
    const { patchbay, document, host } = await start()
    const { body } = await host.redeem(document.url, await host.authorize(document.url))
    document.answer({ status: 503, body: 'down' })
    // a process that never saw the document itself
    const twin = await startPatchbay({
      env: { PUBLIC_URL: patchbay.url, EGRESS_ALLOW: document.host },
      egress: document.egress,
      sharing: patchbay,
    })
    const before = document.requests()
    const refreshed = await host.refresh(document.url, body.refresh_token, {}, twin.url)
    await twin.close()
    expect(refreshed.status).to.equal(200)
    expect(document.requests(), 'it was asked for').to.be.above(before)
  })

  // @guards src/authorization-server/pending-request.ts:createPendingRequests
  it('RG-13: authorizing again does not log out another installation', async () => {
    const { document, host } = first
    const one = await host.redeem(document.url, await host.authorize(document.url))
    const two = await host.redeem(document.url, await host.authorize(document.url))
    for (const { body } of [one, two]) {
      expect((await host.refresh(document.url, body.refresh_token)).status).to.equal(200)
    }
  })

  describe('what well-known hosts publish', () => {
    const redirect = 'https://chatgpt.com/connector_platform_oauth_redirect'
    const shapes: Readonly<Record<string, object>> = {
      Claude: {
        client_name: 'Claude',
        client_uri: 'https://claude.ai',
        redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      'Claude Code': {
        client_name: 'Claude Code',
        client_uri: 'https://claude.ai',
        redirect_uris: ['http://localhost/callback', 'http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
      // names one method, and lists those that it can do
      ChatGPT: {
        client_name: 'ChatGPT',
        redirect_uris: [redirect],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_methods_supported: ['none', 'private_key_jwt'],
        jwks_uri: 'https://chatgpt.com/oauth/jwks.json',
      },
    }
    for (const [name, shape] of Object.entries(shapes)) {
      it(`RG-12: ${name} is accepted`, async () => {
        const { document, host } = await start({ shape })
        const [redirectUri = ''] = (shape as { redirect_uris: string[] }).redirect_uris
        expect(await titleFor(host, document.url, { redirect_uri: redirectUri })).to.equal('Who are you?')
      })
    }
  })
})
