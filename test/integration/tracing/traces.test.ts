import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { createConnector } from '../../support/connecting.ts'
import { type OtlpCollector, startOtlpCollector } from '../../support/otlp-collector.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { connectTo, updateRow } from '../../support/refreshing.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'
import { respond, type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.ts'
import { startWorker, type WorkerProcess } from '../../support/worker.ts'

const answering: Parameters<ScriptedUpstream['script']>[0] = ({ body }) => {
  const { id, method } = JSON.parse(body || '{}')
  if (id === undefined) return respond(202, '')
  const result =
    method === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }
      : { tools: [], content: [] }
  return respond(200, JSON.stringify({ jsonrpc: '2.0', id, result }), { 'content-type': 'application/json' })
}

describe('traces', function () {
  this.timeout(120_000)
  const collectorKey = `collector-${randomBytes(12).toString('hex')}`
  const inUrl = `query-${randomBytes(12).toString('hex')}`
  let collector: OtlpCollector
  let upstream: ScriptedUpstream
  let hooks: WebhookReceiver
  let bay: Patchbay
  let traced: ServerProcess
  let untraced: ServerProcess
  let worker: WorkerProcess
  let connectorId: string
  before(async () => {
    collector = await startOtlpCollector()
    upstream = await startScriptedUpstream(answering)
    hooks = await startWebhookReceiver()
    bay = await startPatchbay()
    const body = { url: hooks.url, event_types: ['connector.disconnected', 'connector.connected'] }
    expect((await bay.request('POST', '/api/v1/webhooks', { body })).status).to.equal(201)
    connectorId = await createConnector(bay, `${upstream.url}?key=${inUrl}`, { credential_scope: 'tenant' })
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${collectorKey}`,
    }
    traced = await startServerProcess(bay, { env })
    untraced = await startServerProcess(bay)
    worker = await startWorker(bay, env)
    await connect(traced)
  })
  after(async () => {
    await Promise.all([worker?.stop(), traced?.kill(), untraced?.kill()])
    await bay.close()
    await Promise.all([collector.close(), upstream.close(), hooks.close()])
  })

  type Ids = { readonly traceId: string; readonly spanId: string }
  const newIds = (): Ids => ({ traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') })
  const send = (server: ServerProcess, path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${bay.admin}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const connect = async (server: ServerProcess) => {
    const answer = await send(server, `/api/v1/connectors/${connectorId}/connect`, {})
    expect(((await answer.json()) as { state: string }).state).to.equal('connected')
  }
  const call = async (server: ServerProcess, { traceId, spanId }: Ids, more: Record<string, string> = {}) => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search', arguments: {} } }
    const traceparent = `00-${traceId}-${spanId}-00`
    const answer = await send(server, `/connectors/${connectorId}/mcp`, message, {
      traceparent,
      tracestate: 'vendor=told-in-confidence',
      baggage: 'user=told-in-confidence',
      ...more,
    })
    await answer.text()
    return answer.status
  }
  const spansOf = ({ traceId }: Ids) => collector.spans.filter((span) => span.traceId === traceId)
  const whenCollected = (ids: Ids, count: number) => until(`${count} spans`, () => spansOf(ids).length >= count, 20_000)
  const lastRequest = () => upstream.received.at(-1)

  // @guards src/proxy/upstream-request.ts:toUpstreamRequest
  it('PX-01: a call goes on with the trace of its caller, and its upstream hears of the ids and nothing else', async () => {
    const ids = newIds()
    expect(await call(traced, ids)).to.equal(200)
    await whenCollected(ids, 2)
    const [server, client] = ['tools/call search', 'upstream'].map((name) =>
      spansOf(ids).find((span) => span.name === name),
    )
    expect(server).to.include({ service: 'patchbay-server', parentSpanId: ids.spanId, failure: undefined })
    expect(server?.attributes).to.include({
      'patchbay.connector_id': connectorId,
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'search',
      'patchbay.outcome': 'ok',
    })
    expect(client?.parentSpanId).to.equal(server?.spanId)
    expect(client?.attributes).to.deep.equal({ 'server.address': new URL(upstream.url).host })
    const heard = lastRequest()?.headers
    expect(heard?.traceparent).to.equal(`00-${ids.traceId}-${client?.spanId}-01`)
    expect(heard).not.to.have.any.keys('tracestate', 'baggage')
    const line = traced.log.find(({ trace_id: traceId }) => traceId === ids.traceId)
    expect(line).to.include({ msg: 'request', mcpMethod: 'tools/call', tool: 'search', outcome: 'ok' })
  })

  it('one trace leads from the server over the worker to whom the worker calls', async () => {
    const ids = newIds()
    const before = hooks.received.length
    const traceparent = `00-${ids.traceId}-${ids.spanId}-01`
    const answer = await send(traced, `/api/v1/connectors/${connectorId}/disconnect`, {}, { traceparent })
    expect(answer.status).to.equal(200)
    await until('the webhook', () => hooks.received.length > before, 30_000)
    await whenCollected(ids, 3)
    const [act, delivery, request] = [
      'POST /api/v1/connectors/{id}/disconnect',
      'webhook connector.disconnected',
      'POST',
    ].map((name) => spansOf(ids).find((span) => span.name === name))
    expect(act).to.include({ service: 'patchbay-server', parentSpanId: ids.spanId })
    expect(delivery).to.include({ service: 'patchbay-worker', parentSpanId: act?.spanId })
    expect(request).to.include({ service: 'patchbay-worker', parentSpanId: delivery?.spanId })
    expect(hooks.received.at(-1)?.headers.traceparent).to.equal(`00-${ids.traceId}-${request?.spanId}-01`)
    const lines = worker.log.filter(({ trace_id: traceId }) => traceId === ids.traceId)
    expect(lines.length, 'lines of the worker for this trace').to.be.greaterThan(0)
    await connect(traced)
  })

  it('one trace leads from the sweep over the job to the token request', async () => {
    const oauth = await startScriptedOAuth({ expiresInSeconds: 600 })
    const id = await connectTo(bay, oauth, { credential_scope: 'tenant' })
    const before = oauth.tokenRequests.length
    await updateRow(bay, id, 'next_refresh_at = now()')
    await until('the refresh', () => oauth.tokenRequests.length > before, 30_000)
    const { host } = new URL(oauth.origin)
    const asked = () =>
      collector.spans.find((span) => span.name === 'POST' && span.attributes['server.address'] === host)
    await until('its span', () => asked() !== undefined, 20_000)
    const job = collector.spans.find(({ spanId }) => spanId === asked()?.parentSpanId)
    const sweep = collector.spans.find(({ spanId }) => spanId === job?.parentSpanId)
    expect(asked()).to.include({ service: 'patchbay-worker', traceId: sweep?.traceId, failure: undefined })
    expect(job).to.include({ service: 'patchbay-worker', name: 'refresh job', traceId: sweep?.traceId })
    expect(sweep).to.include({ service: 'patchbay-worker', name: 'refresh sweep', parentSpanId: undefined })
    // the authorization server hears of it, as upstreams do
    const request = oauth.received.filter(({ target }) => target === '/token').at(-1)
    expect(request?.headers.traceparent).to.equal(`00-${sweep?.traceId}-${asked()?.spanId}-01`)
    await oauth.close()
  })

  it('nobody whom we do not know begins or prolongs a trace', async () => {
    const ids = newIds()
    expect(await call(traced, ids, { authorization: 'Bearer nobody' })).to.equal(401)
    const known = newIds()
    await call(traced, known)
    await whenCollected(known, 2)
    expect(spansOf(ids)).to.deep.equal([])
  })

  it('begins anew where what came is no traceparent', async () => {
    const before = collector.spans.length
    await call(traced, { traceId: '0'.repeat(32), spanId: 'zz' })
    await until('a trace', () => collector.spans.length >= before + 2, 20_000)
    expect(lastRequest()?.headers.traceparent).to.match(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })

  it('CR-04: no span holds a key, a query, or what the caller told others', async () => {
    expect(collector.bodies.length).to.be.greaterThan(1)
    const all = collector.bodies.join('\n')
    for (const secret of [bay.admin, inUrl, 'told-in-confidence', collectorKey]) expect(all).not.to.include(secret)
    // the controls: it is searched where there is something, and the collector was given its key
    expect(all).to.include(connectorId)
    expect(collector.headers[0]).to.include({ 'x-collector-key': collectorKey })
  })

  it('negative control: without the setting nothing is collected, and the traceparent of a caller passes as it is', async () => {
    const ids = newIds()
    expect(await call(untraced, ids)).to.equal(200)
    expect(lastRequest()?.headers.traceparent).to.equal(`00-${ids.traceId}-${ids.spanId}-00`)
    expect(lastRequest()?.headers).not.to.have.any.keys('tracestate', 'baggage')
    const known = newIds()
    await call(traced, known)
    await whenCollected(known, 2)
    expect(spansOf(ids)).to.deep.equal([])
    const line = untraced.log.find(({ msg, outcome }) => msg === 'request' && outcome === 'ok')
    expect(line).not.to.have.property('trace_id')
  })
})
