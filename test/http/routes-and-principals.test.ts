import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost } from '../support/raw-host.ts'

const nobodys = '01900000-0000-7000-8000-000000000000'
type Kind = 'connector' | 'webhook' | 'grant' | 'api_key' | 'own'

/** What each route is about: whose is asked for, and with which body. `own`: there is nothing of anybody else's to ask for. */
const rows: Readonly<Record<string, { readonly about: Kind; readonly body?: object }>> = {
  'GET /connectors/presets': { about: 'own' },
  'POST /connectors': { about: 'own', body: { url: 'https://mcp.example.com/mcp' } },
  'GET /connectors': { about: 'own' },
  'GET /connectors/{id}': { about: 'connector' },
  'PATCH /connectors/{id}': { about: 'connector', body: { enabled: true } },
  'DELETE /connectors/{id}': { about: 'connector' },
  'POST /connectors/{id}/connect': { about: 'connector', body: {} },
  'POST /connectors/{id}/connect/complete': { about: 'connector', body: { completion: 'c'.repeat(43) } },
  'POST /connectors/{id}/disconnect': { about: 'connector' },
  'POST /connectors/{id}/refresh': { about: 'connector' },
  'GET /connectors/{id}/events': { about: 'connector' },
  'POST /connectors/{id}/connect-tokens': { about: 'connector', body: {} },
  'GET /connectors/{id}/install': { about: 'connector' },
  'POST /doctor': { about: 'own', body: { url: 'https://mcp.example.com/mcp' } },
  'GET /events': { about: 'own' },
  'POST /webhooks': { about: 'own', body: { url: 'https://hooks.example.com/' } },
  'GET /webhooks': { about: 'own' },
  'GET /webhooks/{id}': { about: 'webhook' },
  'PATCH /webhooks/{id}': { about: 'webhook', body: { enabled: true } },
  'DELETE /webhooks/{id}': { about: 'webhook' },
  'POST /webhooks/{id}/rotate-secret': { about: 'webhook', body: {} },
  'POST /webhooks/{id}/test': { about: 'webhook' },
  'GET /webhooks/{id}/deliveries': { about: 'webhook' },
  'POST /webhooks/{id}/deliveries/{delivery_id}/replay': { about: 'webhook' },
  'POST /webhooks/{id}/replay': { about: 'webhook', body: { since: '2026-01-01T00:00:00Z' } },
  'GET /analytics': { about: 'own' },
  'GET /grants': { about: 'own' },
  'DELETE /grants/{id}': { about: 'grant' },
  'POST /api-keys': { about: 'own', body: { label: 'x' } },
  'GET /api-keys': { about: 'own' },
  'DELETE /api-keys/{id}': { about: 'api_key' },
  'GET /audit': { about: 'own' },
  'GET /audit/export': { about: 'own' },
}

type Operation = { readonly name: string; readonly method: string; readonly path: string }

describe('TN-01: every route, for every kind of caller that it is not for', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let operations: Operation[]
  const ids: Record<Exclude<Kind, 'own'>, string> = { connector: '', webhook: '', grant: '', api_key: '' }
  const keys: Record<'none' | 'mcp' | 'expired' | 'neighbour' | 'foreignAdmin', string | null> = {
    none: null,
    mcp: null,
    expired: null,
    neighbour: null,
    foreignAdmin: null,
  }

  before(async () => {
    patchbay = await startPatchbay()
    const owner = await patchbay.createKey({ subject: 'alice' })
    ids.connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', { key: owner })
    const body = { url: 'https://hooks.example.com/', event_types: ['connector.connected'] }
    ids.webhook = (await patchbay.request('POST', '/api/v1/webhooks', { body })).body.id
    ids.api_key = (await patchbay.request('GET', '/api/v1/api-keys')).body.items[0].id
    const shared = await createConnector(patchbay, 'https://mcp.example.com/shared', { credential_scope: 'tenant' })
    const host = createRawHost(patchbay, shared)
    const clientId = (await host.register()).body.client_id
    keys.mcp = (await host.redeem(clientId, await host.authorize(clientId))).body.access_token
    ids.grant = (await patchbay.request('GET', '/api/v1/grants')).body.items[0].id
    keys.expired = await patchbay.createKey({ subject: 'late' })
    await withConnection(patchbay.databaseUrl, (client) =>
      client.query("UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE label = 'late'"),
    )
    keys.neighbour = await patchbay.createKey({ subject: 'bob' })
    keys.foreignAdmin = await patchbay.createKey({ subject: 'alice', role: 'admin', tenant: 'elsewhere' })
    const { paths } = patchbay.app.openApi as { paths: Record<string, Record<string, unknown>> }
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => {
        const upper = method.toUpperCase()
        return { name: `${upper} ${path.replace('/api/v1', '')}`, method: upper, path }
      }),
    )
  })
  after(() => patchbay.close())

  function call({ name, method, path }: Operation, key: string | null, id: string): Promise<Answer> {
    const body = rows[name]?.body
    const address = path.replace('{id}', id).replace('{delivery_id}', nobodys)
    return patchbay.request(method, address, { key, ...(body === undefined ? {} : { body }) })
  }
  /** What a caller can tell answers apart by. */
  const seen = ({ status, body }: Answer) => {
    const { request_id: _, ...rest } = body ?? {}
    return { status, ...rest }
  }
  const idFor = ({ name }: Operation) => {
    const about = rows[name]?.about ?? 'own'
    return about === 'own' ? nobodys : ids[about]
  }

  // @guards src/http/api-router.ts:createApiRouter
  it('TN-01: every route has a row, and every row a route', () => {
    expect(operations.map(({ name }) => name).sort()).to.deep.equal(Object.keys(rows).sort())
  })

  // @guards src/http/api-router.ts:createApiRouter
  it('TN-01: nobody, an expired key and a token for an MCP endpoint get one and the same 401', async () => {
    for (const operation of operations) {
      const answers = []
      for (const key of [keys.none, keys.expired, keys.mcp]) {
        for (const id of [idFor(operation), nobodys]) answers.push(seen(await call(operation, key, id)))
      }
      expect(
        answers.map(({ status }) => status),
        operation.name,
      ).to.deep.equal(Array(6).fill(401))
      // what is there and what is not read the same
      for (const index of [0, 2, 4]) expect(answers[index], operation.name).to.deep.equal(answers[index + 1])
    }
  })

  // @guards src/connectors/visibility.ts:createFindConnector
  it('TN-01: an administrator of another organisation, and another person, get the answer for what does not exist', async () => {
    for (const operation of operations.filter(({ path }) => path.includes('{id}'))) {
      for (const key of [keys.foreignAdmin, keys.neighbour]) {
        const [real, missing] = [await call(operation, key, idFor(operation)), await call(operation, key, nobodys)]
        expect(seen(real), operation.name).to.deep.equal(seen(missing))
        expect(real.status, operation.name).to.be.oneOf([403, 404])
      }
      expect((await call(operation, keys.foreignAdmin, idFor(operation))).status, operation.name).to.equal(404)
    }
  })

  it('negative control: what is asked for is there, and for its owner', async () => {
    for (const path of [`/connectors/${ids.connector}`, `/webhooks/${ids.webhook}`]) {
      const isOwners = path.startsWith('/connectors')
      const key = isOwners ? await patchbay.createKey({ subject: 'alice' }) : patchbay.admin
      expect((await patchbay.request('GET', `/api/v1${path}`, { key })).status, path).to.equal(200)
    }
    expect((await patchbay.request('DELETE', `/api/v1/grants/${ids.grant}`)).status).to.equal(204)
  })
})
