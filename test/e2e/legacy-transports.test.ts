import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import {
  type LegacyServer,
  startEverythingOverSse,
  startSseServer,
  startWebSocketServer,
} from '../support/upstreams/legacy-servers.ts'
import { connectSdk1Client } from '../support/upstreams/mcp-clients.ts'
import type { Upstream } from '../support/upstreams/upstream.ts'

describe('connectors of other transports than Streamable HTTP', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let everything: Upstream
  let sse: LegacyServer
  let websocket: LegacyServer

  before(async () => {
    ;[patchbay, everything] = await Promise.all([startPatchbay(), startEverythingOverSse()])
    sse = await startSseServer({ token: 'good' })
    websocket = await startWebSocketServer({ token: 'good' })
  })
  after(async () => {
    await patchbay?.close()
    await Promise.all([everything, sse, websocket].map((each) => each?.close()))
  })

  const connect = async (id: string, body: object = {}) =>
    (await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body })).body
  const toolsOf = async (id: string) => {
    const headers = { authorization: `Bearer ${patchbay.admin}` }
    const { client, close } = await connectSdk1Client({ url: `${patchbay.url}/connectors/${id}/mcp`, headers })
    const { tools } = await client.listTools()
    await close()
    return tools.map(({ name }) => name)
  }

  it('finds out by itself that a server speaks HTTP+SSE, and keeps that', async () => {
    const id = await createConnector(patchbay, everything.url)
    expect(await connect(id)).to.include({ state: 'connected' })
    const { body } = await patchbay.request('GET', `/api/v1/connectors/${id}`)
    expect(body.transport).to.equal('sse')
    expect(await toolsOf(id)).to.include('echo')
  })

  it('keeps a wrong choice from being connected', async () => {
    const id = await createConnector(patchbay, everything.url, { transport: 'streamable_http', label: 'wrong' })
    expect(await connect(id)).to.include({ code: 'upstream_error' })
  })

  for (const transport of ['sse', 'websocket'] as const) {
    it(`connects ${transport} with a token, and calls tools`, async () => {
      const { url } = transport === 'sse' ? sse : websocket
      const id = await createConnector(patchbay, url, { transport, auth: { type: 'token' } })
      expect((await connect(id, { access_token: 'bad' })).status, 'control').to.be.greaterThan(399)
      expect(await connect(id, { access_token: 'good' })).to.include({ state: 'connected', transport })
      expect(await toolsOf(id)).to.include('echo')
    })
  }

  it('tells in the doctor what a URL speaks', async () => {
    const { body } = await patchbay.request('POST', '/api/v1/doctor', { body: { url: everything.url } })
    expect(body.probe).to.include({ outcome: 'ok' })
  })
})
