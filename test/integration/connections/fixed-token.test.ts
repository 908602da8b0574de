import { expect } from 'chai'
import { callTool } from '../../support/call-tool.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import {
  respond,
  respondResult,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'

describe('auth type token', () => {
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  /** The header and value that the upstream wants. */
  let wanted: readonly [string, string]
  let label = 0

  before(async () => {
    patchbay = await startPatchbay()
    upstream = await startScriptedUpstream((request) => {
      if (request.method !== 'POST' || request.target !== '/mcp') return respond(404)
      if (request.headers[wanted[0]] !== wanted[1]) return respond(401)
      const message = JSON.parse(request.body)
      if (message.id === undefined) return respond(202)
      const results: Record<string, object> = {
        initialize: {
          protocolVersion: message.params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: 'keyed', version: '1.0.0' },
        },
        'tools/list': { tools: [] },
        'tools/call': { content: [{ type: 'text', text: 'pong' }] },
      }
      return message.method in results ? respondResult(results[message.method]) : respond(404)
    })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  const create = (auth: object) => {
    label += 1
    return createConnector(patchbay, upstream.url, { auth: { type: 'token', ...auth }, label: String(label) })
  }
  const connect = (id: string, body: object = {}) =>
    patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body })
  const read = async (id: string) => (await patchbay.request('GET', `/api/v1/connectors/${id}`)).body

  const rows: readonly (readonly [string, object, readonly [string, string]])[] = [
    ['Authorization: Bearer by default', { token: 'abc' }, ['authorization', 'Bearer abc']],
    ['a scheme that stands there already, once', { token: 'bearer abc' }, ['authorization', 'bearer abc']],
    ['another scheme', { token: 'abc', scheme: 'Token' }, ['authorization', 'Token abc']],
    ['no scheme', { token: 'abc', scheme: '' }, ['authorization', 'abc']],
    ['another header, without a scheme', { token: 'abc', header: 'X-Api-Key' }, ['x-api-key', 'abc']],
    ['another header and scheme', { token: 'abc', header: 'X-Auth', scheme: 'Key' }, ['x-auth', 'Key abc']],
    ['a token that only begins like its scheme', { token: 'Bearerabc' }, ['authorization', 'Bearer Bearerabc']],
  ]
  for (const [what, auth, header] of rows) {
    it(`sends ${what}, when it connects and with every call`, async () => {
      wanted = header
      const id = await create(auth)

      expect((await connect(id)).body).to.include({ state: 'connected', auth_request: null })
      expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
      if (header[0] !== 'authorization') {
        expect(upstream.received.at(-1)?.headers, 'the key of the caller').to.not.have.property('authorization')
      }
    })
  }

  it('takes a token that comes with the connect, in the same place', async () => {
    wanted = ['x-api-key', 'later']
    const id = await create({ header: 'X-Api-Key' })

    const without = await connect(id)
    expect(without.body).to.include({ code: 'invalid_request' })
    expect(without.body.errors[0].path).to.equal('access_token')

    expect((await connect(id, { access_token: 'later' })).body.state).to.equal('connected')
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })

  it('does not double the scheme of a token that comes with a connect', async () => {
    wanted = ['authorization', 'Bearer copied']
    label += 1
    const id = await createConnector(patchbay, upstream.url, { label: String(label) })
    expect((await connect(id, { access_token: 'Bearer copied' })).body.state).to.equal('connected')
  })

  it('refuses a token that no header can carry', async () => {
    const id = await create({})
    const { status, body } = await connect(id, { access_token: 'a\r\nb' })
    expect({ status, code: body.code }).to.deep.equal({ status: 400, code: 'invalid_request' })
  })

  it('says that the server does not take it, and stores nothing', async () => {
    wanted = ['authorization', 'Bearer good']
    const id = await create({ token: 'bad' })
    const { status, body } = await connect(id)
    expect({ status, code: body.code }).to.deep.equal({ status: 400, code: 'access_token_rejected' })
    expect((await read(id)).state).to.equal('created')
  })

  it('disconnects when the server takes it no longer, and connects again with a new one', async () => {
    wanted = ['authorization', 'Bearer one']
    const id = await create({ token: 'one' })
    await connect(id)
    wanted = ['authorization', 'Bearer two']

    expect((await callTool(patchbay, id, 'ping')).refusal).to.contain('no longer accepts')
    expect(await read(id)).to.include({ state: 'disconnected', disconnect_code: 'access_token_rejected' })

    await patchbay.request('PATCH', `/api/v1/connectors/${id}`, { body: { auth: { type: 'token', token: 'two' } } })
    expect((await connect(id)).body.state).to.equal('connected')
    expect((await callTool(patchbay, id, 'ping')).text).to.equal('pong')
  })
})
