import { expect } from 'chai'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../../support/upstreams/serve-mcp.ts'

describe('createKnownUpstreams', () => {
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  before(async () => {
    patchbay = await startPatchbay()
    upstream = await startScriptedUpstream(serveMcp)
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  // @guards src/connections/known-upstreams.ts:createKnownUpstreams
  it('TK-05: lends the rights of one key to no other key of the same principal', async () => {
    const full = await patchbay.createKey({ subject: 'a' })
    const reading = await patchbay.createKey({ subject: 'a', scopes: ['connectors:read'] })
    const id = await createConnector(patchbay, upstream.url, { key: full })
    await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { key: full, body: {} })
    const call = (key: string) =>
      patchbay.request('POST', `/connectors/${id}/mcp`, { key, body: { jsonrpc: '2.0', id: 1, method: 'ping' } })
    await until('the call to pass', async () => (await call(full)).status === 200)
    expect((await call(full)).status).to.equal(200)
    expect((await call(reading)).status).to.equal(403)
  })
})
