import { expect } from 'chai'
import type { GuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { type AppError, isAppError } from '../../../src/kernel/app-error.ts'
import { parseResourceUrl } from '../../../src/kernel/resource-url.ts'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import type { AuthorizationServer } from '../../../src/upstream/authorization-server.ts'
import { createDiscover } from '../../../src/upstream/discover.ts'
import { createRegisterClient, type RegisteredClient } from '../../../src/upstream/register-client.ts'
import {
  closeSocket,
  respond,
  respondHtml,
  respondJson,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { openLoopbackFetch } from './loopback-fetch.ts'

const redirectUri = 'https://pb.example/callback'

describe('createRegisterClient', () => {
  let as: ScriptedUpstream
  let fetch: GuardedFetch
  let close: () => Promise<void>

  beforeEach(async () => {
    as = await startScriptedUpstream()
    ;({ fetch, close } = openLoopbackFetch())
  })
  afterEach(async () => {
    await close()
    await as.close()
  })

  const server = (more: Partial<AuthorizationServer> = {}): AuthorizationServer => ({
    issuer: as.origin,
    authorizationEndpoint: `${as.origin}/authorize`,
    tokenEndpoint: `${as.origin}/token`,
    registrationEndpoint: `${as.origin}/register`,
    tokenEndpointAuthMethods: [],
    isIssParameterSupported: false,
    isClientIdMetadataDocumentSupported: false,
    isPkceVerified: true,
    isLegacyFallback: false,
    resource: null,
    scopes: [],
    scopesSource: 'none',
    ...more,
  })
  const register = (more: Partial<AuthorizationServer> = {}, uri = redirectUri): Promise<RegisteredClient> =>
    createRegisterClient({ fetch })({ server: server(more), redirectUri: uri })
  const failureOf = async (registered: Promise<unknown>): Promise<AppError> => {
    const outcome = await registered.catch((error: unknown) => error)
    if (isAppError(outcome)) return outcome
    throw new Error('it did not fail')
  }
  const sent = (): Record<string, unknown> => JSON.parse(as.received.at(-1)?.body ?? '{}')

  it('asks for the grants that it needs (C9)', async () => {
    as.script(() => respondJson({ client_id: 'us' }, 201))
    await register({ tokenEndpointAuthMethods: ['none'] })
    expect(sent()).to.deep.equal({
      client_name: 'Patchbay',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    })
    expect(as.received[0]?.headers).to.include({ 'content-type': 'application/json' })
  })

  it('says native for redirects to this machine, else web (C8)', async () => {
    as.script(() => respondJson({ client_id: 'us' }, 201))
    const types: readonly (readonly [string, string])[] = [
      ['http://localhost:8333/cb', 'native'],
      ['http://127.0.0.1/cb', 'native'],
      ['https://localhost/cb', 'native'],
      ['https://pb.example/cb', 'web'],
    ]
    for (const [uri, type] of types) {
      await register({}, uri)
      expect(sent().application_type, uri).to.equal(type)
    }
  })

  describe('the way of authenticating (C22)', () => {
    const secret = { client_id: 'us', client_secret: 'shh' }
    const cases: readonly (readonly [string, string[], object, string, boolean])[] = [
      [
        'basic where both are offered',
        ['client_secret_post', 'client_secret_basic', 'none'],
        secret,
        'client_secret_basic',
        true,
      ],
      ['basic where nothing is said', [], secret, 'client_secret_basic', true],
      ['post where that is offered', ['client_secret_post'], secret, 'client_secret_post', true],
      ['none, although a secret comes', ['none'], secret, 'none', false],
      ['none, when no secret comes', ['client_secret_basic'], { client_id: 'us' }, 'none', false],
      ['none, when the secret is null', [], { client_id: 'us', client_secret: null }, 'none', false],
      ['none, when the secret is empty', [], { client_id: 'us', client_secret: '' }, 'none', false],
      [
        'what the answer says',
        [],
        { ...secret, token_endpoint_auth_method: 'client_secret_post' },
        'client_secret_post',
        true,
      ],
      ['none, when the answer says so', [], { ...secret, token_endpoint_auth_method: 'none' }, 'none', false],
      [
        'what was asked, when the answer names one not offered',
        ['none'],
        { ...secret, token_endpoint_auth_method: 'client_secret_basic' },
        'none',
        false,
      ],
      [
        'what was asked, when the answer names one we lack',
        [],
        { ...secret, token_endpoint_auth_method: 'tls_client_auth' },
        'client_secret_basic',
        true,
      ],
    ]
    for (const [name, tokenEndpointAuthMethods, answer, method, hasSecret] of cases) {
      it(`is ${name}`, async () => {
        as.script(() => respondJson(answer, 201))
        const client = await register({ tokenEndpointAuthMethods })
        expect(client.tokenEndpointAuthMethod).to.equal(method)
        expect(client.clientSecret?.reveal()).to.equal(hasSecret ? 'shh' : undefined)
      })
    }
  })

  it('takes answers as real servers give them', async () => {
    as.script(() =>
      respondJson(
        {
          client_id: 'us',
          client_secret: 's',
          client_secret_expires_at: '1900000000',
          client_uri: null,
          redirect_uris: null,
        },
        200,
      ),
    )
    expect((await register()).expiresAt?.toISOString()).to.equal('2030-03-17T17:46:40.000Z')
    for (const client_secret_expires_at of [0, '0', null, undefined, -1, 'never', 1e300]) {
      as.script(() => respondJson({ client_id: 'us', client_secret: 's', client_secret_expires_at }, 201))
      expect(await register(), String(client_secret_expires_at)).not.to.have.property('expiresAt')
    }
  })

  it('names our redirect URI when the server takes offence at it (C8)', async () => {
    as.script(() => respondJson({ error: 'invalid_redirect_uri', error_description: 'secret <b>' }, 400))
    const error = await failureOf(register())
    expect(error.code).to.equal('client_registration_failed')
    expect(error.publicDetail).to.contain(redirectUri).and.not.contain('secret')
    expect(error.meta).to.include({ status: 400, error: 'invalid_redirect_uri' })
  })

  it('says in its own words why else it failed', async () => {
    const answers = [
      respondJson({ error: 'invalid_client_metadata' }, 400),
      respondJson({ error: '\u001b[31mred' }, 400),
      respond(403),
      respond(500, 'secret'),
      respond(429),
      respondHtml('<p>secret</p>'),
      respondJson({ no: 'client' }, 201),
      respondJson({ client_id: 7 }, 201),
      respondJson({ client_id: '' }, 201),
    ]
    for (const answer of answers) {
      as.script(() => answer)
      const error = await failureOf(register())
      expect(error.code).to.equal('client_registration_failed')
      expect(`${error.publicDetail}${JSON.stringify(error.meta)}`)
        .not.to.contain('secret')
        .and.not.contain('[31m')
    }
  })

  it('SS-07, SS-08: follows no redirect and reads no more than 64 KB', async () => {
    for (const answer of [respond(307, '', { location: '/elsewhere' }), respond(201, 'a'.repeat(70_000))]) {
      as.script(() => answer)
      expect((await failureOf(register())).code).to.equal('upstream_protocol_error')
    }
    expect(as.received.map(({ target }) => target)).to.deep.equal(['/register', '/register'])
  })

  it('passes on what kept it from asking', async () => {
    as.script(() => closeSocket())
    expect((await failureOf(register())).code).to.equal('upstream_unreachable')
    const blocked = await failureOf(register({ registrationEndpoint: 'https://10.0.0.1/register' }))
    expect(blocked.code).to.equal('egress_blocked')
  })

  it('tells a server that registers nobody, and a guess that led nowhere, apart', async () => {
    const { registrationEndpoint: _, ...closed } = server()
    expect((await failureOf(createRegisterClient({ fetch })({ server: closed, redirectUri }))).code).to.equal(
      'client_id_required',
    )
    expect((await failureOf(register({ isLegacyFallback: true }))).code).to.equal('authorization_server_not_found')
    as.script(() => respondJson({ error: 'invalid_client_metadata' }, 400))
    expect((await failureOf(register({ isLegacyFallback: true }))).code).to.equal('client_registration_failed')
  })

  describe('at a real authorization server', () => {
    let sandbox: Sandbox
    before(async () => {
      sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    })
    after(() => sandbox.close())

    it('gets a client with a secret', async () => {
      const found = await createDiscover({ fetch })({ url: parseResourceUrl(sandbox.url), challenge: null })
      const client = await createRegisterClient({ fetch })({
        server: found,
        redirectUri: 'http://localhost:9/callback',
      })
      expect(client.tokenEndpointAuthMethod).to.equal('client_secret_basic')
      expect(client.clientSecret?.reveal()).to.be.a('string')
    })

    it('learns that a redirect URI is refused', async () => {
      const found = await createDiscover({ fetch })({ url: parseResourceUrl(sandbox.url), challenge: null })
      const refused = createRegisterClient({ fetch })({ server: found, redirectUri: 'http://pb.example/callback' })
      expect((await failureOf(refused)).meta).to.include({ error: 'invalid_redirect_uri' })
    })
  })
})
