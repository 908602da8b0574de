import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { createConnector } from '../support/connecting.ts'
import { type Answer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createTestClock } from '../support/test-clock.ts'

/** An operation of the REST API, as its document names it, and how to call it with something of somebody's. */
type Row = {
  /** Whose object the path names; null: it names none. */
  readonly of: 'connector' | 'webhook' | 'apiKey' | 'grant' | null
  readonly body?: object
}

const url = 'https://mcp.example.com/mcp'
const rows: Readonly<Record<string, Row>> = {
  'GET /connectors/presets': { of: null },
  'GET /connectors': { of: null },
  'POST /connectors': { of: null, body: { url: 'https://other.example.com/mcp' } },
  'GET /connectors/{id}': { of: 'connector' },
  'PATCH /connectors/{id}': { of: 'connector', body: { enabled: false } },
  'DELETE /connectors/{id}': { of: 'connector' },
  'POST /connectors/{id}/connect': { of: 'connector' },
  'POST /connectors/{id}/connect/complete': { of: 'connector', body: { completion: 'x'.repeat(43) } },
  'POST /connectors/{id}/disconnect': { of: 'connector' },
  'POST /connectors/{id}/refresh': { of: 'connector' },
  'GET /connectors/{id}/events': { of: 'connector' },
  'POST /connectors/{id}/connect-tokens': { of: 'connector', body: { subject: 'mallory' } },
  'GET /connectors/{id}/install': { of: 'connector' },
  'GET /analytics': { of: null },
  'GET /audit': { of: null },
  'GET /audit/export': { of: null },
  'GET /grants': { of: null },
  'DELETE /grants/{id}': { of: 'grant' },
  'POST /doctor': { of: null, body: { url } },
  'GET /events': { of: null },
  'GET /webhooks': { of: null },
  'POST /webhooks': { of: null, body: { url: 'https://hooks.example.com/' } },
  'GET /webhooks/{id}': { of: 'webhook' },
  'PATCH /webhooks/{id}': { of: 'webhook', body: { enabled: false } },
  'DELETE /webhooks/{id}': { of: 'webhook' },
  'POST /webhooks/{id}/rotate-secret': { of: 'webhook' },
  'POST /webhooks/{id}/test': { of: 'webhook' },
  'GET /webhooks/{id}/deliveries': { of: 'webhook' },
  'POST /webhooks/{id}/deliveries/{delivery_id}/replay': { of: 'webhook' },
  'POST /webhooks/{id}/replay': { of: 'webhook', body: { since: '2026-01-01T00:00:00Z' } },
  'GET /api-keys': { of: null },
  'POST /api-keys': { of: null, body: { label: 'x', kind: 'user', subject: 'x' } },
  'DELETE /api-keys/{id}': { of: 'apiKey' },
}

const nobody = '019b0000-0000-7000-8000-00000000dead'

describe('foreign callers, at every route of the document', () => {
  const clock = createTestClock()
  let bay: Patchbay
  let objects: Readonly<Record<'connector' | 'webhook' | 'apiKey' | 'grant', string>>
  let strangers: Readonly<Record<string, string>>
  let expired: string
  let strangeToken: string
  before(async () => {
    bay = await startPatchbay({ clock })
    const alice = await bay.createKey({ subject: 'alice' })
    const webhook = await bay.request('POST', '/api/v1/webhooks', { body: { url: 'https://hooks.example.com/' } })
    const apiKey = await bay.request('POST', '/api/v1/api-keys', {
      body: { label: 'k', kind: 'user', subject: 'k' },
    })
    const connector = await createConnector(bay, url, { key: alice, client_id: 'c', client_secret: 'secret-of-alice' })
    const grant = randomUUID()
    await withConnection(bay.databaseUrl, (client) =>
      client.query(
        `INSERT INTO grants (id, tenant_id, connector_id, principal_id, client_id, client_name, resource, scope, expires_at)
         SELECT $1, tenant_id, id, created_by_principal_id, 'host', 'Host', url, 'mcp', now() + interval '10 years'
           FROM connectors WHERE id = $2`,
        [grant, connector],
      ),
    )
    objects = {
      connector,
      grant,
      webhook: webhook.body.id,
      apiKey: apiKey.body.id,
    }
    strangers = {
      'another user': await bay.createKey({ subject: 'bob' }),
      "another tenant's admin": await bay.createKey({
        subject: 'root',
        kind: 'service',
        role: 'admin',
        tenant: 'other',
      }),
    }
    expired = await bay.createKey({ subject: 'old', role: 'admin', expiresAt: new Date(clock.now().getTime() + 1000) })
    clock.advance(2000)
    // of the form of a JWT; real ones of hosts are tried in authorization-server/access-tokens.test.ts
    strangeToken = ['at+jwt', 'claims', 'signature'].map((part) => Buffer.from(part).toString('base64url')).join('.')
  })
  after(() => bay.close())

  const call = (operation: string, id: string, key: string | null): Promise<Answer> => {
    const [method = '', path = ''] = operation.split(' ')
    const body = rows[operation]?.body
    return bay.request(method, `/api/v1${path.replace('{id}', id).replace('{delivery_id}', nobody)}`, {
      key,
      ...(body === undefined ? {} : { body }),
    })
  }
  const told = ({ status, body }: Answer) => {
    const { request_id: _, ...rest } = body
    return { status, ...rest }
  }

  it('TN-01: there is a row for every route, so that a new one cannot be forgotten', () => {
    const { paths } = bay.app.openApi as { paths: Record<string, Record<string, unknown>> }
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
    )
    expect(operations).to.have.members(Object.keys(rows))
  })

  for (const [operation, { of }] of Object.entries(rows)) {
    // @guards src/http/api-router.ts:createApiRouter
    it(`TN-01: ${operation} answers 401 to nobody, to an expired key and to a token of nobody's`, async () => {
      const id = of === null ? nobody : objects[of]
      const answers = [await call(operation, id, null), await call(operation, id, expired)]
      answers.push(await call(operation, id, strangeToken))
      for (const { status, body, text } of answers) {
        expect([status, body.code]).to.deep.equal([401, 'unauthenticated'])
        expect(text).not.to.include('secret-of-alice')
      }
    })

    if (of === null) continue
    // @guards src/connectors/visibility.ts:isVisible
    it(`TN-01: ${operation} answers others as if nothing were there`, async () => {
      for (const [who, key] of Object.entries(strangers)) {
        const answer = told(await call(operation, objects[of], key))
        expect(answer, who).to.deep.equal(told(await call(operation, nobody, key)))
        // who may not use the route at all hears that, of whatever id
        expect(answer.status, who).to.be.oneOf(
          who === 'another user' && ['webhook', 'apiKey'].includes(of) ? [403] : [404],
        )
      }
    })
  }

  it('TN-01: whatever they tried, nothing has changed', async () => {
    const alice = await bay.createKey({ subject: 'alice' })
    const { status, body } = await bay.request('GET', `/api/v1/connectors/${objects.connector}`, { key: alice })
    expect([status, body.enabled, body.state]).to.deep.equal([200, true, 'created'])
    expect((await bay.request('GET', `/api/v1/webhooks/${objects.webhook}`)).body.enabled).to.equal(true)
    const { items } = (await bay.request('GET', '/api/v1/api-keys')).body
    expect(items.find(({ id }: { id: string }) => id === objects.apiKey).revoked_at).to.equal(null)
  })

  // @guards src/http/representations.ts:representConnector
  it('CR-05: no answer to anybody holds a secret that was given, only that there is one', async () => {
    const alice = await bay.createKey({ subject: 'alice' })
    const shown = await bay.request('GET', `/api/v1/connectors/${objects.connector}`, { key: alice })
    expect(shown.body).to.include({ has_client_secret: true, client_id: 'c' })
    for (const answer of [shown, await bay.request('GET', '/api/v1/connectors', { key: alice })]) {
      expect(answer.text).not.to.include('secret-of-alice')
      expect(answer.text).not.to.match(/sealed|v1\.test\./)
    }
  })
})
