import { expect } from 'chai'
import { authorize, createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { type OauthQuirks, type QuirkyOauth, startQuirkyOauth } from '../../support/upstreams/quirky-oauth.ts'

describe('what an operator permits in a preset', () => {
  let upstream: QuirkyOauth | undefined
  let patchbay: Patchbay | undefined
  afterEach(async () => {
    await patchbay?.close()
    await upstream?.close()
  })

  /** Connects to a server with these quirks, once with this preset and once, as a caller might, without any. */
  async function start(
    quirks: (origin: string) => OauthQuirks,
    preset: (origin: string) => object,
  ): Promise<{ patchbay: Patchbay; upstream: QuirkyOauth; permitted: string; other: string }> {
    const server = await startQuirkyOauth(({ origin }) => quirks(origin))
    upstream = server
    const presets = [{ id: 'odd', url: server.url, ...preset(server.origin) }]
    const bay = await startPatchbay({ env: { CONNECTOR__PRESETS: JSON.stringify(presets) } })
    patchbay = bay
    const permitted = await createConnector(bay, server.url)
    const other = await createConnector(bay, server.url, { label: 'other', match_preset: false })
    return { patchbay: bay, upstream: server, permitted, other }
  }
  const connect = (bay: Patchbay, id: string) => bay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })

  // @guards src/connections/find-server.ts:permitsOf
  it('PK-01: a server that does not list S256, which is sent all the same and marked as unverified', async () => {
    const { patchbay, upstream, permitted, other } = await start(
      () => ({ metadata: { code_challenge_methods_supported: undefined } }),
      () => ({ quirks: { pkce_unlisted: true } }),
    )
    expect((await connect(patchbay, other)).body.code).to.equal('pkce_unsupported')

    await authorize(patchbay, permitted)

    const { body } = await patchbay.request('GET', `/api/v1/connectors/${permitted}`)
    expect(body).to.include({ state: 'connected', preset_id: 'odd', pkce_unverified: true })
    expect(upstream.authorizations.at(-1)).to.include({ code_challenge_method: 'S256' })
    expect(upstream.tokenRequests.at(-1)?.code_verifier).to.match(/^[\w-]{43}$/)
    const doctor = await patchbay.request('POST', '/api/v1/doctor', { body: { url: upstream.url } })
    expect(doctor.body.verdict, 'the doctor goes by the same rules').to.equal('auth_required')
    expect(doctor.body.checks.pkce).to.equal('assumed')
  })

  // @guards src/connections/find-server.ts:permitsOf
  it('MX-08: an authorization server that the MCP server calls by another name, which its own iss must carry', async () => {
    const issuer = 'https://real-name.example'
    const { patchbay, upstream, permitted, other } = await start(
      () => ({ metadata: { issuer, authorization_response_iss_parameter_supported: true }, callback: { iss: issuer } }),
      (origin) => ({ client_id: 'ours', client_secret: 'hidden', issuer, quirks: { issuer_alias: origin } }),
    )
    expect((await connect(patchbay, other)).body.code).to.equal('authorization_server_invalid')

    await authorize(patchbay, permitted)

    expect((await patchbay.request('GET', `/api/v1/connectors/${permitted}`)).body.state).to.equal('connected')
    expect(upstream.authorizations.at(-1)?.client_id).to.equal('ours')
  })

  it('MX-08: of which a caller can set nothing', async () => {
    const { patchbay, upstream } = await start(
      () => ({}),
      () => ({}),
    )
    for (const body of [{ issuer: 'https://a.example' }, { quirks: { pkce_unlisted: true } }, { issuer_alias: 'x' }]) {
      const answer = await patchbay.request('POST', '/api/v1/connectors', {
        body: { url: upstream.url, label: 'mine', ...body },
      })
      expect([answer.status, answer.body.code]).to.deep.equal([400, 'invalid_request'])
    }
  })
})
