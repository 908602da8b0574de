import { expect } from 'chai'
import { askForLink, createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  type Answer,
  respond,
  respondJson,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'

/** A server of 2025-03-26: no metadata anywhere, the endpoints where that revision says. */
function serve(origin: string, target: string, authorization: string | undefined, body: string): Answer {
  const { pathname, searchParams } = new URL(target, origin)
  switch (pathname) {
    case '/register':
      return respondJson({ client_id: 'client' }, 201)
    case '/authorize': {
      const callback = new URL(searchParams.get('redirect_uri') ?? '')
      callback.searchParams.set('code', searchParams.get('code_challenge') ?? '')
      callback.searchParams.set('state', searchParams.get('state') ?? '')
      return respond(302, '', { location: callback.href })
    }
    case '/token':
      return respondJson({ access_token: 'good', token_type: 'Bearer' })
    case '/mcp': {
      if (authorization !== 'Bearer good') return respond(401)
      const message = JSON.parse(body)
      if (message.id === undefined) return respond(202)
      if (message.method === 'tools/list') return respondResult({ tools: [] })
      const { protocolVersion } = message.params
      const serverInfo = { name: 'old', version: '1.0.0' }
      return message.method === 'initialize'
        ? respondResult({ protocolVersion, capabilities: { tools: {} }, serverInfo })
        : respond(404)
    }
    default:
      return respond(404)
  }
}

describe('a server of 2025-03-26 that publishes nothing', () => {
  let upstream: ScriptedUpstream

  before(async () => {
    upstream = await startScriptedUpstream()
    upstream.script(({ target, headers, body }) => serve(upstream.origin, target, headers.authorization, body))
  })
  after(() => upstream.close())

  describe('by default', () => {
    let patchbay: Patchbay
    before(async () => {
      patchbay = await startPatchbay()
    })
    after(() => patchbay.close())

    it('PK-01: is connected at its default endpoints with S256 all the same, and marked', async () => {
      const id = await createConnector(patchbay, upstream.url)
      expect((await patchbay.request('GET', `/api/v1/connectors/${id}`)).body.pkce_unverified).to.equal(false)

      await followLink(await askForLink(patchbay, id))

      const { body } = await patchbay.request('GET', `/api/v1/connectors/${id}`)
      expect(body).to.include({ state: 'connected', pkce_unverified: true })
      const asked = upstream.received.find(({ target }) => target.startsWith('/authorize'))
      expect(asked?.target).to.contain('code_challenge_method=S256')
      const token = upstream.received.find(({ target }) => target === '/token')
      expect(new URLSearchParams(token?.body).get('code_verifier')).to.match(/^[\w-]{43}$/)
    })
  })

  describe('with LEGACY_ENDPOINT_FALLBACK=off', () => {
    let patchbay: Patchbay
    before(async () => {
      patchbay = await startPatchbay({ env: { LEGACY_ENDPOINT_FALLBACK: 'off' } })
    })
    after(() => patchbay.close())

    // @guards src/composition/outside.ts:isLegacyFallbackAllowed
    it('PK-01: is refused, and nothing is guessed', async () => {
      const before = upstream.received.length
      const id = await createConnector(patchbay, upstream.url)

      const { status, body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })

      expect({ status, code: body.code }).to.deep.equal({ status: 502, code: 'authorization_server_not_found' })
      const targets = upstream.received.slice(before).map(({ target }) => target)
      expect(targets.filter((target) => /authorize|token|register/.test(target))).to.deep.equal([])
    })
  })
})
