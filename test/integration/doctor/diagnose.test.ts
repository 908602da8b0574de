import { expect } from 'chai'
import { createOutside, type Outside } from '../../../src/composition/outside.ts'
import { readSettings } from '../../../src/config/settings.ts'
import { defaultTimings } from '../../../src/config/timings.ts'
import { createDiagnose, type Diagnose } from '../../../src/doctor/diagnose.ts'
import type { Diagnosis } from '../../../src/doctor/report.ts'
import { createGuardedDispatcher } from '../../../src/egress/guarded-dispatcher.ts'
import { createGuardedFetch } from '../../../src/egress/guarded-fetch.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { createProbe } from '../../../src/upstream/probe.ts'
import { type OauthQuirks, paths, startQuirkyOauth } from '../../support/upstreams/quirky-oauth.ts'
import {
  closeSocket,
  hang,
  hangAfterHeaders,
  respond,
  respondHtml,
  respondJson,
  type ScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { startServerEverything } from '../../support/upstreams/server-everything.ts'

const silent = createLogger('silent')

type Quirks = (site: Pick<ScriptedUpstream, 'origin' | 'url'>) => OauthQuirks

describe('createDiagnose', () => {
  const opened: Pick<Outside, 'close'>[] = []
  const open = (env: Readonly<Record<string, string>> = {}, timings: Partial<typeof defaultTimings> = {}): Diagnose => {
    const outside = createOutside({ settings: readSettings(env), env, timings: { ...defaultTimings, ...timings } })
    opened.push(outside)
    return createDiagnose({ ...outside, findPinnedIssuer: async () => null, log: silent })
  }
  let diagnose: Diagnose
  before(() => {
    diagnose = open()
  })
  after(() => Promise.all(opened.map((outside) => outside.close())))

  const diagnoseQuirky = async (quirks: Quirks, ask = diagnose): Promise<Diagnosis> => {
    const upstream = await startQuirkyOauth(quirks)
    try {
      return await ask({ url: upstream.url, isGuardShown: true })
    } finally {
      await upstream.close()
    }
  }
  const usedClient = ({ clients }: Diagnosis) => clients.find(({ isUsed }) => isUsed)?.kind
  const codes = ({ findings }: Diagnosis) => findings.map(({ code }) => code)
  const verdictsOf = ({ documents }: Diagnosis) => documents.map(({ status, verdict }) => [status ?? null, verdict])

  describe('when the server is open to anybody', () => {
    it('says connected, and looks no further', async () => {
      const everything = await startServerEverything()
      try {
        const report = await diagnose({ url: everything.url, isGuardShown: true })
        expect(report).to.deep.include({ verdict: 'connected', documents: [], findings: [], authorizationServer: null })
        expect(report.probe).to.deep.equal({
          outcome: 'ok',
          status: null,
          protocolVersion: '2025-11-25',
          challenge: null,
        })
        expect(usedClient(report)).to.equal(undefined)
      } finally {
        await everything.close()
      }
    })
  })

  describe('when the server asks for authorization', () => {
    let sandbox: Sandbox
    before(async () => {
      sandbox = await startSandbox({ port: 0, tokenTtlSeconds: 60 })
    })
    after(() => sandbox.close())

    it('reports every rung up to the point where a person is asked', async () => {
      const report = await diagnose({ url: sandbox.url, isGuardShown: true })
      const { issuer } = sandbox
      expect(report).to.include({ verdict: 'auth_required', url: sandbox.url, presetId: null, resource: sandbox.url })
      expect(report.probe).to.deep.equal({
        outcome: 'unauthorized',
        status: 401,
        protocolVersion: null,
        challenge: {
          resourceMetadata: `${issuer}${paths.resourceByPath}`,
          scopes: ['mcp'],
          error: null,
        },
      })
      expect(report.documents).to.deep.equal([
        {
          document: 'protected_resource_metadata',
          source: 'challenge',
          url: `${issuer}${paths.resourceByPath}`,
          status: 200,
          verdict: 'used',
        },
        {
          document: 'authorization_server_metadata',
          source: 'root',
          url: `${issuer}${paths.oauthMetadata}`,
          status: 200,
          verdict: 'used',
        },
      ])
      expect(report.checks).to.deep.equal({ resource: 'passed', issuer: 'passed', pkce: 'passed' })
      expect(report.authorizationServer).to.include({ issuer, isIssParameterSupported: true, isLegacyFallback: false })
      expect(report.authorizationServer?.tokenEndpointAuthMethods).to.include('none')
      expect(report.scopes?.source).to.equal('challenge')
      expect(report.scopes?.values).to.include('mcp')
      expect(report.clients.map(({ kind }) => kind)).to.deep.equal([
        'given',
        'preset',
        'metadata_document',
        'registration',
        'none',
      ])
      expect(usedClient(report)).to.equal('registration')
      expect(report.findings.filter(({ severity }) => severity !== 'note')).to.deep.equal([])
    })

    it('registers nothing', async () => {
      const upstream = await startQuirkyOauth()
      const report = await diagnose({ url: upstream.url, isGuardShown: true })
      await upstream.close()
      expect(report.verdict).to.equal('auth_required')
      expect(upstream.received.map(({ target }) => target)).to.not.include.members(['/register', '/token'])
    })

    it('prefers a given client', async () => {
      const report = await diagnose({ url: sandbox.url, clientId: 'mine', isGuardShown: true })
      expect(usedClient(report)).to.equal('given')
    })

    it('takes our metadata document where there is one and the server takes it', async () => {
      const withDocument = open({ CLIENT_METADATA_URL: 'https://patchbay.example/client.json' })
      const quirks = () => ({ metadata: { client_id_metadata_document_supported: true } })
      expect(usedClient(await diagnoseQuirky(quirks, withDocument))).to.equal('metadata_document')
      expect(usedClient(await diagnoseQuirky(quirks)), 'without a document').to.equal('registration')
    })
  })

  describe('when a preset knows the server', () => {
    const withPreset = async (issuer: string | undefined) => {
      const upstream = await startQuirkyOauth()
      const preset = {
        id: 'acme',
        url: upstream.url,
        client_id: 'preset-client',
        scopes: ['read'],
        quirks: { omit_resource: true },
        ...(issuer === undefined ? {} : { issuer }),
      }
      const ask = open({ CONNECTOR__PRESETS: JSON.stringify([preset]) })
      try {
        return await ask({ url: upstream.url, isGuardShown: true })
      } finally {
        await upstream.close()
      }
    }

    it('reports its client, its scopes and its quirks', async () => {
      const report = await withPreset(undefined)
      expect(report).to.deep.include({
        verdict: 'auth_required',
        presetId: 'acme',
        resource: null,
        scopes: { values: ['read'], source: 'preset' },
      })
      expect(usedClient(report)).to.equal('preset')
    })

    // @guards src/doctor/diagnose.ts:judge
    it('MX-09: says that its credentials would not go to another issuer', async () => {
      const report = await withPreset('https://issuer.example')
      expect(report.verdict).to.equal('authorization_server_changed')
      expect(codes(report)).to.include('authorization_server_changed')
    })
  })

  describe('when something is wrong', () => {
    const short = { probeMs: 600, discoveryMs: 600 }
    const faults: readonly [
      title: string,
      quirks: Quirks,
      verdict: Diagnosis['verdict'],
      check?: (report: Diagnosis) => void,
    ][] = [
      [
        'the metadata is for another resource',
        () => ({ resource: { resource: 'https://other.example/mcp' } }),
        'authorization_server_invalid',
        (report) => {
          expect(report.checks).to.deep.equal({ resource: 'failed', issuer: 'not_checked', pkce: 'not_checked' })
          expect(verdictsOf(report)).to.deep.equal([[200, 'resource_mismatch']])
          expect(report.findings[0]?.fix).to.include(report.url)
        },
      ],
      [
        'the metadata is of another issuer',
        () => ({ metadata: { issuer: 'https://other.example' } }),
        'authorization_server_invalid',
        (report) => expect(report.checks).to.deep.include({ resource: 'passed', issuer: 'failed' }),
      ],
      [
        'the resource metadata is broken',
        () => ({ resource: { resource: 7 } }),
        'authorization_server_invalid',
        (report) => expect(verdictsOf(report)).to.deep.equal([[200, 'invalid']]),
      ],
      [
        'PKCE is not offered',
        () => ({ metadata: { code_challenge_methods_supported: undefined } }),
        'pkce_unsupported',
        (report) => expect(report.checks).to.deep.equal({ resource: 'passed', issuer: 'passed', pkce: 'failed' }),
      ],
      [
        'there is no authorization server',
        () => ({
          challenge: null,
          answers: { [paths.resourceByPath]: null, [paths.oauthMetadata]: null, '/register': null },
        }),
        'authorization_server_not_found',
        (report) => {
          expect(report.checks.pkce).to.equal('assumed')
          expect(verdictsOf(report)).to.deep.equal(Array(4).fill([404, 'absent']))
          expect(codes(report)).to.include('challenge_incomplete')
        },
      ],
      [
        'nothing is published, but the default endpoints of 2025-03-26 are there',
        () => ({ challenge: null, answers: { [paths.resourceByPath]: null, [paths.oauthMetadata]: null } }),
        'auth_required',
        (report) => {
          expect(report.authorizationServer).to.include({ isLegacyFallback: true })
          expect(codes(report)).to.include('legacy_fallback')
        },
      ],
      [
        'nobody registers clients',
        () => ({ metadata: { registration_endpoint: undefined } }),
        'client_id_required',
        (report) => expect(usedClient(report)).to.equal('none'),
      ],
      [
        'the metadata cannot be read now',
        () => ({ answers: { [paths.oauthMetadata]: respond(503) } }),
        'authorization_server_not_found',
        (report) => expect(verdictsOf(report)).to.deep.include([503, 'unavailable']),
      ],
      [
        'the metadata never comes',
        () => ({ answers: { [paths.resourceByPath]: hang() } }),
        'upstream_timeout',
        (report) => expect(verdictsOf(report)).to.deep.equal([[null, 'timeout']]),
      ],
      [
        'a page for people answers',
        () => ({ answers: { '/mcp': respondHtml('<h1>Hi</h1>') } }),
        'upstream_protocol_error',
      ],
      ['the server answers 500', () => ({ answers: { '/mcp': respond(500) } }), 'upstream_error'],
      ['nothing is at the path', () => ({ answers: { '/mcp': null } }), 'upstream_error'],
      ['the server hangs', () => ({ answers: { '/mcp': hang() } }), 'upstream_timeout'],
      ['the server hangs after its headers', () => ({ answers: { '/mcp': hangAfterHeaders() } }), 'upstream_timeout'],
      ['the server closes the connection', () => ({ answers: { '/mcp': closeSocket() } }), 'upstream_unreachable'],
    ]

    for (const [title, quirks, verdict, check] of faults) {
      it(`says ${verdict} and what to do: ${title}`, async () => {
        const report = await diagnoseQuirky(quirks, open({}, short))
        expect(report.verdict).to.equal(verdict)
        if (verdict !== 'auth_required') {
          expect(report.findings[0]).to.include({ severity: 'error', code: verdict })
          expect(report.findings[0]?.fix).to.be.a('string')
        }
        check?.(report)
      })
    }

    // @guards src/doctor/upstream-words.ts:reportChallenge
    it('SS-10: never tells a word of the body, nor of a header that is not in the protocol', async () => {
      const canary = 'canary-c0ffee'
      const report = await diagnoseQuirky(({ origin }) => ({
        challenge: `Bearer realm="${canary}", error="${canary} \x9b[31m", error_description="${canary}"`,
        resource: { resource: `${origin}/mcp`, resource_name: canary },
        answers: {
          [paths.oauthMetadata]: respondJson({ issuer: canary, error: canary }, 200, { 'x-canary': canary }),
          [paths.openidMetadata]: respond(500, canary),
        },
      }))
      expect(report.verdict).to.equal('authorization_server_invalid')
      expect(JSON.stringify(report)).to.not.include(canary)
    })
  })

  describe('when our egress guard refuses', () => {
    /** The challenge leads to an address that only the guard stands before. */
    const internal: Quirks = () => ({ challenge: 'Bearer resource_metadata="https://10.0.0.1/secret"' })

    // @guards src/egress/address-policy.ts:checkUrl
    for (const url of ['https://10.0.0.1/mcp', 'http://169.254.169.254/', 'https://[::ffff:127.0.0.1]/mcp']) {
      it(`SS-04: throws url_not_allowed for the literal ${url}`, async () => {
        const strict = open({ EGRESS_ALLOW: '192.0.2.1' })
        const refused = await strict({ url, isGuardShown: false }).catch((error: unknown) => error)
        expect(refused).to.include({ code: 'url_not_allowed' })
      })
    }

    // @guards src/doctor/discretion.ts:withoutGuard
    it('SS-10: tells administrators, and shows others an unreachable address', async () => {
      const upstream = await startQuirkyOauth(internal)
      const admin = await diagnose({ url: upstream.url, isGuardShown: true })
      const member = await diagnose({ url: upstream.url, isGuardShown: false })
      await upstream.close()
      expect(verdictsOf(admin)[0]).to.deep.equal([null, 'blocked'])
      expect(verdictsOf(member)[0]).to.deep.equal([null, 'unavailable'])
      expect(JSON.stringify(member)).to.not.match(/blocked|guard|EGRESS/)
    })

    it('SS-10: a name that leads to a refused address looks to others like one that leads nowhere', async () => {
      const ask = async (addresses: readonly string[], isGuardShown: boolean) => {
        const strict = createOutside({ settings: readSettings({}), env: {}, timings: defaultTimings })
        const { addressPolicy: policy } = strict
        const lookup = async () => {
          if (addresses.length === 0) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
          return addresses.map((address) => ({ address, family: 4 as const }))
        }
        const dispatcher = createGuardedDispatcher({ policy, lookup })
        opened.push(strict, dispatcher)
        const fetch = createGuardedFetch({ policy, dispatcher })
        const findPinnedIssuer = async () => null
        const probe = createProbe({ fetch, openTransport: strict.openTransport })
        return createDiagnose({ ...strict, fetch, probe, findPinnedIssuer, log: silent })({
          url: 'https://mcp.example/mcp',
          isGuardShown,
        })
      }
      expect(await ask(['10.0.0.1'], false)).to.deep.equal(await ask([], false))
      expect((await ask(['10.0.0.1'], true)).probe.outcome, 'control').to.equal('blocked')
      expect((await ask([], true)).probe.outcome, 'control').to.equal('unreachable')
    })
  })
})
