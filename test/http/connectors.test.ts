import { expect } from 'chai'
import { askForLink, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'

describe('connectors: who sees and does what', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  const people = ['owner', 'admin', 'service', 'member', 'agent', 'stranger'] as const
  type Who = (typeof people)[number]
  const keys = {} as Record<Who, string>
  let ownersOwn: string
  let shared: string
  let count = 0
  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth({ expiresInSeconds: 3600 })])
    const tenant = 'matrix'
    keys.owner = await patchbay.createKey({ subject: 'owner', tenant })
    keys.admin = await patchbay.createKey({ subject: 'chief', role: 'admin', tenant })
    keys.service = await patchbay.createKey({ subject: 'backend', kind: 'service', tenant })
    keys.member = await patchbay.createKey({ subject: 'member', tenant })
    // of the same name as the owner, but of another kind
    keys.agent = await patchbay.createKey({ subject: 'owner', kind: 'agent', tenant })
    keys.stranger = await patchbay.createKey({ subject: 'owner', role: 'admin', tenant: 'elsewhere' })
    ownersOwn = await createConnector(patchbay, 'https://own.example', { key: keys.owner })
    shared = await createConnector(patchbay, 'https://shared.example', { key: keys.admin, client_id: 'c' })
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  const list = async (key: string, query = '') => (await patchbay.request('GET', connectors + query, { key })).body

  it('401 without a key, on every route', async () => {
    const id = '019b0000-0000-7000-8000-000000000001'
    const routes = Object.entries(patchbay.app.openApi.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path.replace('{id}', id)] as const),
    )
    expect(routes.length).to.be.greaterThan(8)
    for (const [method, path] of routes) {
      const { status, body } = await patchbay.request(method, path, { key: null })
      expect([status, body.code], `${method} ${path}`).to.deep.equal([401, 'unauthenticated'])
    }
  })

  type Call = 'read' | 'change' | 'delete' | 'connect' | 'disconnect' | 'events' | 'relay'
  const calls: Record<Call, (id: string) => readonly [method: string, path: string, body?: object]> = {
    read: (id: string) => ['GET', `${connectors}/${id}`],
    change: (id: string) => ['PATCH', `${connectors}/${id}`, {}],
    delete: (id: string) => ['DELETE', `${connectors}/${id}`],
    connect: (id: string) => ['POST', `${connectors}/${id}/connect`, { redirect_url: 'https://evil.example' }],
    disconnect: (id: string) => ['POST', `${connectors}/${id}/disconnect`],
    events: (id: string) => ['GET', `${connectors}/${id}/events`],
    relay: (id: string) => ['DELETE', `/connectors/${id}/mcp`],
  }

  /** Status by call; of the shared connector first, then of the owner's own. Connect and disconnect fail later, with 400. */
  const rights: Record<Who, Record<Call, readonly [shared: number, own: number]>> = {
    owner: {
      read: [200, 200],
      change: [403, 200],
      delete: [403, 204],
      connect: [403, 400],
      disconnect: [400, 400],
      events: [200, 200],
      relay: [204, 204],
    },
    admin: {
      read: [200, 404],
      change: [200, 404],
      delete: [204, 404],
      connect: [400, 404],
      disconnect: [400, 404],
      events: [200, 404],
      relay: [204, 404],
    },
    service: {
      read: [200, 404],
      change: [200, 404],
      delete: [204, 404],
      connect: [400, 404],
      disconnect: [400, 404],
      events: [200, 404],
      relay: [204, 404],
    },
    member: {
      read: [200, 404],
      change: [403, 404],
      delete: [403, 404],
      connect: [403, 404],
      disconnect: [400, 404],
      events: [200, 404],
      relay: [204, 404],
    },
    agent: {
      read: [200, 404],
      change: [403, 404],
      delete: [403, 404],
      connect: [403, 404],
      disconnect: [400, 404],
      events: [200, 404],
      relay: [204, 404],
    },
    stranger: {
      read: [404, 404],
      change: [404, 404],
      delete: [404, 404],
      connect: [404, 404],
      disconnect: [404, 404],
      events: [404, 404],
      relay: [404, 404],
    },
  }
  for (const who of people) {
    // what deletes comes last, on connectors of its own
    for (const call of Object.keys(calls) as Call[]) {
      it(`${who}: ${call} gives ${rights[who][call].join(' and ')}`, async () => {
        count += 1
        const ids =
          call === 'delete'
            ? [
                await createConnector(patchbay, `https://s${count}.example`, { key: keys.admin }),
                await createConnector(patchbay, `https://o${count}.example`, { key: keys.owner }),
              ]
            : [shared, ownersOwn]
        const statuses: number[] = []
        for (const id of ids) {
          const [method, path, body] = calls[call](id)
          const answer = await patchbay.request(method, path, { key: keys[who], body })
          statuses.push(answer.status)
          if (answer.status !== 404) continue
          const missing = await patchbay.request(method, path.replace(id, '019b0000-0000-7000-8000-00000000dead'), {
            key: keys[who],
            body,
          })
          const { request_id: _, ...foreign } = answer.body
          const { request_id: __, ...absent } = missing.body
          expect(foreign, 'as for a missing one').to.deep.equal(absent)
        }
        expect(statuses).to.deep.equal(rights[who][call])
      })
    }
  }

  it('members see a shared connector without its client and without its link', async () => {
    const id = await createConnector(patchbay, upstream.url, { key: keys.admin, client_id: 'facts' })
    await askForLink(patchbay, id, { key: keys.admin })
    const see = async (who: Who) => (await patchbay.request('GET', `${connectors}/${id}`, { key: keys[who] })).body
    expect(await see('admin')).to.include({ client_id: 'facts', has_client_secret: false, state: 'auth_required' })
    expect((await see('service')).auth_request, 'who may connect it').to.not.equal(null)
    const seen = await see('member')
    expect(seen).to.include({ state: 'auth_required', auth_request: null })
    expect(seen).to.not.have.any.keys('client_id', 'has_client_secret')
    expect((await list(keys.member, `?q=${new URL(upstream.url).port}`)).items[0]).to.deep.equal(seen)
  })

  // @guards src/storage/connector-store.ts:conditions
  it('TN-02: lists and their total hold own and shared connectors only', async () => {
    const seen = await list(keys.member, '?limit=100')
    expect(seen.total_count).to.equal(seen.items.length)
    expect(seen.items.map((item: { id: string }) => item.id))
      .to.include(shared)
      .and.not.include(ownersOwn)
    expect(await list(keys.stranger)).to.include({ total_count: 0, has_more: false })
    expect(await list(keys.stranger, '?q=example')).to.include({ total_count: 0 })
  })

  it("TN-02: another tenant's page token opens nothing", async () => {
    await createConnector(patchbay, 'https://one-more.example')
    const { next_page_token } = await list(keys.admin, '?limit=1')
    expect(next_page_token).to.be.a('string')
    const page = await list(keys.stranger, `?page_token=${next_page_token}`)
    expect(page).to.deep.equal({ items: [], total_count: 0, has_more: false, next_page_token: null })
  })

  it('TN-02: ids cannot be guessed from one another', async () => {
    const ids = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        createConnector(patchbay, `https://id${index}.example`, { key: keys.owner }),
      ),
    )
    // UUIDv7: 74 random bits after 48 of time
    expect(new Set(ids.map((id) => id.slice(15))).size).to.equal(ids.length)
    for (const id of ids) expect(id[14]).to.equal('7')
  })
})
