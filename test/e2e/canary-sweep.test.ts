import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { request } from 'undici'
import { settingTable } from '../../src/config/settings.ts'
import { createLogger } from '../../src/log/logger.ts'
import { callTool } from '../support/call-tool.ts'
import { authorize, createConnector, stopAtCallback } from '../support/connecting.ts'
import { authorizeHost, createHost } from '../support/host.ts'
import { requireRedis } from '../support/lanes.ts'
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type RedisServer, startRedis, watchRedis } from '../support/redis.ts'
import { updateRow } from '../support/refreshing.ts'
import { createSweep, readWholeDatabase, type Sweep } from '../support/sweep.ts'
import { until } from '../support/until.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { type ScopedIssuer, startScopedIssuer, startScopedServer } from '../support/upstreams/scoped-server.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'
import { respondJson } from '../support/upstreams/scripted-upstream.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts'
import { startWorker, type WorkerProcess } from '../support/worker.ts'

/** No code writes it yet. */
const unused = ['connections.sealed_extra_headers']
/** What those are given who ask for it, once or as theirs: in answers, and nowhere else. */
const givenOut = /^(given out|tickets\.|webhooks\.)/

describe('secrets, looked for everywhere', function () {
  this.timeout(180_000)
  let redis: RedisServer
  let patchbay: Patchbay
  let sweep: Sweep
  let worker: WorkerProcess
  let upstream: ScriptedOAuth
  let signed: ScriptedOAuth
  let issuer: ScopedIssuer
  let server: Awaited<ReturnType<typeof startScopedServer>>
  let receiver: WebhookReceiver
  let watcher: { close(): void }
  let collector: OtlpCollector
  /** Every command that Redis was sent: jobs that are gone are there too. */
  const commands: string[] = []
  const answers: string[] = []
  /** The fields of requests that hold a secret, as the OpenAPI document says, and those that were sent one. */
  const planted = new Set<string>()

  before(async function () {
    redis = await startRedis(requireRedis(this))
    collector = await startOtlpCollector()
    watcher = await watchRedis(redis, (command) => void commands.push(command))
    const settings = createSweep('', `k:${Buffer.alloc(32).toString('base64')}`)
    const adminKey = settings.plant('setting ADMIN_API_KEY')
    const loginSecret = settings.plant('setting OIDC_CLIENT_SECRET')
    const collectorKey = settings.plant('setting OTEL_EXPORTER_OTLP_HEADERS')
    patchbay = await startPatchbay({
      env: {
        REDIS_URL: redis.url,
        ADMIN_API_KEY: adminKey,
        OIDC_CLIENT_SECRET: loginSecret,
        OIDC_CLIENT_ID: 'patchbay',
        OIDC_ISSUER: 'http://127.0.0.1:9/issuer',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: `x-key=${encodeURIComponent(collectorKey)}`,
      },
    })
    await patchbay.app.bootstrapAccess(patchbay.settings.ADMIN_API_KEY)
    sweep = createSweep(patchbay.databaseUrl, patchbay.env.ENCRYPTION_KEYS ?? '')
    sweep.add('setting ADMIN_API_KEY', adminKey)
    sweep.add('setting OIDC_CLIENT_SECRET', loginSecret)
    sweep.add('setting OTEL_EXPORTER_OTLP_HEADERS', collectorKey)
    sweep.add('setting ENCRYPTION_KEYS', (patchbay.env.ENCRYPTION_KEYS ?? '').split(':')[1] ?? '')
    sweep.add('given out: admin key', patchbay.admin)
    upstream = await startScriptedOAuth({
      expiresInSeconds: 300,
      clientSecret: sweep.plant('secret of a registration'),
    })
    signed = await startScriptedOAuth({ authMethods: ['private_key_jwt'] })
    issuer = await startScopedIssuer()
    server = await startScopedServer(issuer)
    receiver = await startWebhookReceiver()
    worker = await startWorker(patchbay, { LOG_LEVEL: 'debug', METRICS_PORT: '0' })
  })
  after(async () => {
    await worker?.stop()
    watcher?.close()
    await Promise.all([upstream?.close(), signed?.close(), server?.close(), receiver?.close()])
    await issuer?.close()
    await patchbay?.close()
    await collector?.close()
    await redis?.close()
  })

  /** Remembers every answer. */
  async function ask(method: string, path: string, body?: object, key = patchbay.admin): Promise<Answer> {
    const answer = await patchbay.request(method, path, { body, key })
    answers.push(`${method} ${path} ${answer.status} ${JSON.stringify([...answer.headers])} ${answer.text}`)
    await sweep.harvest()
    return answer
  }
  const plant = (operation: string, field: string): string => {
    planted.add(`${operation} ${field}`)
    return sweep.plant(`${operation} ${field}`)
  }
  const create = async (url: string, label: string, fields: object = {}): Promise<string> => {
    const { status, body, text } = await ask('POST', '/api/v1/connectors', { url, label, ...fields })
    expect(status, text).to.equal(201)
    return body.id
  }

  it('go their ways: connectors of every kind, links, refreshes, webhooks, hosts, mistakes', async () => {
    // a client of one's own, and a server that repeats in its error what it was sent
    const given = await create(upstream.url, 'given', {
      client_id: 'app',
      client_secret: plant('createConnector', 'client_secret'),
    })
    await authorize(patchbay, given)
    await sweep.harvest()
    expect((await callTool(patchbay, given, 'ping')).text).to.equal('pong')
    await ask('POST', `/api/v1/connectors/${given}/refresh`)
    const echo = upstream.tokenRequests.at(-1)
    upstream.answerTokensWith(respondJson({ error: 'invalid_request', error_description: JSON.stringify(echo) }, 400))
    await ask('POST', `/api/v1/connectors/${given}/refresh`)
    upstream.answerTokensWith(null)
    upstream.expireAccessTokens()
    await callTool(patchbay, given, 'ping')
    const body = { client_id: 'app', client_secret: plant('updateConnector', 'client_secret') }
    await ask('PATCH', `/api/v1/connectors/${given}`, body)

    // a registration with a secret; the callback that is parked until the completion comes
    const parked = await create(upstream.url, 'parked')
    const completing = { completion: 'code', redirect_url: `${patchbay.url}/done` }
    const asked = await ask('POST', `/api/v1/connectors/${parked}/connect`, completing)
    const { callback, cookie } = await stopAtCallback(patchbay, asked.body.auth_request.authorization_endpoint)
    await sweep.harvest()
    const back = await request(callback, { headers: { cookie } })
    await back.body.dump()
    await sweep.harvest()
    const completion = new URL(String(back.headers.location)).searchParams.get('completion') ?? ''
    sweep.add('given out: completion', completion)
    planted.add('completeConnect completion')
    expect((await ask('POST', `/api/v1/connectors/${parked}/connect/complete`, { completion })).status).to.equal(200)
    await ask('POST', `/api/v1/connectors/${parked}/disconnect`)

    // a server that takes nothing but a signature with a key of ours
    await authorize(patchbay, await create(signed.url, 'signed'))

    // tokens that are given: with the connector, and with a connect; taken, and refused
    const token = plant('createConnector', 'auth.token')
    const fixed = await create(upstream.url, 'fixed', { auth: { type: 'token', token, header: 'X-Key' } })
    await ask('POST', `/api/v1/connectors/${fixed}/connect`, {})
    await ask('PATCH', `/api/v1/connectors/${fixed}`, {
      auth: { type: 'token', token: plant('updateConnector', 'auth.token') },
    })
    const bearer = await create(upstream.url, 'bearer', { auth: { type: 'token' } })
    await ask('POST', `/api/v1/connectors/${bearer}/connect`, {
      access_token: plant('connectConnector', 'access_token'),
    })
    const good = upstream.newAccessToken()
    sweep.add('upstream access token', good)
    const accepted = await ask('POST', `/api/v1/connectors/${bearer}/connect`, { access_token: good })
    expect(accepted.body.state).to.equal('connected')

    // client_credentials, with a secret and with a key
    for (const operation of ['createConnector', 'updateConnector']) {
      const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
      sweep.add(`${operation} auth.private_key`, String(pem))
      sweep.add(`${operation} auth.private_key`, String(pem).split('\n')[1] ?? '')
      planted.add(`${operation} auth.private_key`)
      const type = 'client_credentials'
      const client_secret = plant(operation, 'auth.client_secret')
      const auths = [
        { type, client_id: 'app', client_secret },
        { type, client_id: 'app', private_key: String(pem) },
      ]
      for (const [index, auth] of auths.entries()) {
        const label = `machine ${operation} ${index}`
        const isNew = operation === 'createConnector'
        const id = await create(server.url, label, isNew ? { auth } : {})
        if (!isNew) await ask('PATCH', `/api/v1/connectors/${id}`, { auth })
        expect((await ask('POST', `/api/v1/connectors/${id}/connect`, {})).body.state).to.equal('connected')
        await callTool(patchbay, id, 'ping')
      }
    }

    // webhooks: the secret, the one before it, deliveries
    const hook = await ask('POST', '/api/v1/webhooks', { url: receiver.url })
    expect(hook.status, hook.text).to.equal(201)
    sweep.add('given out: webhook', hook.body.secret)
    await ask('POST', `/api/v1/webhooks/${hook.body.id}/rotate-secret`, {})
    await ask('POST', `/api/v1/webhooks/${hook.body.id}/test`)
    await until('a delivery', () => receiver.received.length > 0, 60_000)
    await ask('GET', `/api/v1/webhooks/${hook.body.id}/deliveries`)

    // a host of a person, and what was given to it
    const shared = await createConnector(patchbay, upstream.url, { label: 'shared' })
    await authorize(patchbay, shared)
    const host = await authorizeHost(createHost(patchbay, shared), 'alice')
    const { access_token: access, refresh_token: refresh } = host.given()
    sweep.add('given out: access token', access)
    sweep.add('given out: refresh token', refresh ?? '')
    expect(
      (await ask('POST', `/connectors/${shared}/mcp`, { jsonrpc: '2.0', id: 1, method: 'ping' }, access)).status,
    ).to.equal(200)
    const minted = await ask('POST', `/api/v1/connectors/${shared}/connect-tokens`, { subject: 'alice' })
    sweep.add('given out: connect token', minted.body.connect_token)
    await ask('GET', '/api/v1/grants')
    const key = await ask('POST', '/api/v1/api-keys', { label: 'canary', kind: 'user', subject: 'canary' })
    sweep.add('given out: API key', key.body.key)

    // mistakes with secrets in them
    const wrong = plant('createConnector', 'client_secret')
    await ask('POST', '/api/v1/connectors', { url: 'nonsense', client_id: 'app', client_secret: wrong })
    await ask('POST', '/api/v1/connectors', { url: upstream.url, client_secret: wrong, surprise: wrong.length })
    await ask('GET', '/api/v1/connectors', undefined, sweep.plant('a key that is none'))
    await patchbay.request('POST', '/api/v1/connectors', { body: `{"client_secret":"${wrong}",` })
    await createBrowser().open(`${patchbay.url}/connect/${sweep.plant('a link that is none')}`)

    // the worker renews what is due
    await updateRow(patchbay, shared, 'next_refresh_at = now()')
    const isRenewed = () => worker.log.some(({ msg, refreshed }) => msg === 'refresh job done' && refreshed === 1)
    await until('the worker has refreshed something', isRenewed, 30_000)
    await ask('GET', '/api/v1/connectors')
    for (const id of [given, parked, fixed, bearer]) await ask('GET', `/api/v1/connectors/${id}/events`)
    await ask('DELETE', `/api/v1/connectors/${given}`)

    // spans are sent in their order: these are the last ones, the worker's when it ends
    await worker.stop()
    const isSent = () => collector.spans.some(({ name }) => name === 'DELETE /api/v1/connectors/{id}')
    await until('the spans of the server', isSent, 20_000)
  })

  it('CR-04: were planted in every field that holds one', () => {
    const never = [...sweep.columns.all].filter((column) => !sweep.columns.seen.has(column))
    expect(never, 'columns marked @secret').to.deep.equal(unused)
    const fields = secretFields(patchbay.app.openApi)
    expect(fields.length).to.be.greaterThan(7)
    expect(
      fields.filter((field) => !planted.has(field)),
      'fields of requests',
    ).to.deep.equal([])
    const settings = Object.entries(settingTable).filter(([, entry]) => 'secret' in entry && entry.secret === true)
    expect(settings.map(([name]) => name)).to.include.members([
      'ADMIN_API_KEY',
      'OIDC_CLIENT_SECRET',
      'ENCRYPTION_KEYS',
      'OTEL_EXPORTER_OTLP_HEADERS',
    ])
  })

  // @guards src/vault/vault.ts:createVault
  it('CR-04: turn up nowhere: logs, answers, Redis, the database, jobs, metrics, traces', async () => {
    const database = await readWholeDatabase(patchbay.databaseUrl)
    const places: Record<string, string> = {
      'the log of the server': patchbay.logs.join(''),
      'the log of the worker': JSON.stringify(worker.log),
      'what Redis was sent': commands.join('\n'),
      'the database': database.text,
      metrics: (await patchbay.app.metrics.render()).text,
      traces: collector.bodies.join('\n'),
    }
    const found = Object.entries(places).flatMap(([place, text]) => sweep.findIn(text).map((hit) => `${hit}: ${place}`))
    const told = sweep.findIn(answers.join('\n'), (name) => !givenOut.test(name))
    const sizes = Object.entries(places).map(([place, text]) => `${place} ${Math.round(text.length / 1024)} KB`)
    console.log(
      `      ${sweep.size} secrets; ${sizes.join(', ')}, ${answers.length} answers, ${database.tables} tables`,
    )
    expect({ found, told }).to.deep.equal({ found: [], told: [] })
    for (const [place, text] of Object.entries(places)) expect(text.length, place).to.be.greaterThan(100)
    // the controls: what the spans are of, and that the collector was given its key
    const names = collector.spans.map(({ service, name }) => `${service} ${name}`)
    expect(names).to.include.members([
      'patchbay-server POST /api/v1/connectors',
      'patchbay-server upstream',
      'patchbay-worker refresh job',
    ])
    expect(names.some((name) => name.startsWith('patchbay-worker webhook '))).to.equal(true)
    expect(sweep.findIn(String(collector.headers[0]?.['x-key']))).to.include('setting OTEL_EXPORTER_OTLP_HEADERS (raw)')
  })

  it('control: one that is logged, or stored as it is, is found in every form', async () => {
    const canary = sweep.plant('control')
    const lines: string[] = []
    createLogger('info', { write: (line) => void lines.push(line) }).info({ note: canary }, 'a mistake')
    expect(sweep.findIn(lines.join(''))).to.include('control (raw)')
    const bytes = Buffer.from(`x${canary}y`)
    expect(sweep.findIn(bytes.toString('base64'))).to.include('control (base64)')
    expect(sweep.findIn(bytes.toString('base64url'))).to.include('control (base64)')
    expect(sweep.findIn(bytes.toString('hex'))).to.include('control (hex)')
    expect(sweep.findIn(new URLSearchParams({ note: canary }).toString())).to.include('control (URL)')
    await patchbay.request('POST', '/api/v1/connectors', { body: { url: 'https://mcp.example.com/x', label: canary } })
    expect(sweep.findIn((await readWholeDatabase(patchbay.databaseUrl)).text)).to.include('control (raw)')
  })
})

/** `<operation> <field>` of every field of a request body that the OpenAPI document marks as a secret. */
function secretFields(document: Readonly<Record<string, unknown>>): string[] {
  const within = (schema: unknown, path: readonly string[]): string[] => {
    if (typeof schema !== 'object' || schema === null) return []
    const {
      format,
      properties = {},
      anyOf = [],
      oneOf = [],
    } = schema as {
      format?: string
      properties?: Record<string, unknown>
      anyOf?: unknown[]
      oneOf?: unknown[]
    }
    if (format === 'password') return [path.join('.')]
    return [
      ...Object.entries(properties).flatMap(([name, inner]) => within(inner, [...path, name])),
      ...[...anyOf, ...oneOf].flatMap((inner) => within(inner, path)),
    ]
  }
  type Operation = {
    operationId: string
    requestBody?: { content: { 'application/json': { schema: unknown } } }
  }
  const operations = Object.values(document.paths as Record<string, Record<string, Operation>>).flatMap(Object.values)
  const fields = (operations as Operation[]).flatMap(({ operationId, requestBody }) =>
    within(requestBody?.content['application/json'].schema, []).map((field) => `${operationId} ${field}`),
  )
  return [...new Set(fields)]
}
