import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { listTools } from '../support/call-tool.ts'
import { askForLink, authorize, createConnector, followLink } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { connectClient } from '../support/upstreams/mcp-clients.ts'

describe('two people, one shared connector with credential_scope=user', () => {
  let patchbay: Patchbay
  let sandbox: Sandbox
  let id: string
  const keys = { alice: '', bob: '', carol: '' }
  type Person = keyof typeof keys

  before(async () => {
    ;[patchbay, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 300 })])
    for (const person of Object.keys(keys) as Person[]) keys[person] = await patchbay.createKey({ subject: person })
    id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
  })
  after(async () => {
    await sandbox.close()
    await patchbay.close()
  })

  const read = async (person: Person) =>
    (await patchbay.request('GET', `/api/v1/connectors/${id}`, { key: keys[person] })).body
  const eventsOf = async (key: string): Promise<{ type: string; connection_id: string | null }[]> =>
    (await patchbay.request('GET', `/api/v1/connectors/${id}/events`, { key })).body.items

  async function whoami(person: Person): Promise<unknown> {
    const { client, close } = await connectClient('legacy', {
      url: `${patchbay.url}/connectors/${id}/mcp`,
      headers: { authorization: `Bearer ${keys[person]}` },
    })
    const { structuredContent } = await client.callTool({ name: 'whoami', arguments: {} })
    await close()
    return structuredContent
  }

  it('is seen by all, connected by nobody yet', async () => {
    for (const person of ['alice', 'bob', 'carol'] as const) {
      expect(await read(person)).to.include({ id, state: 'created', auth_request: null, credential_scope: 'user' })
    }
  })

  it('is read-only for members, who see nothing of its client', async () => {
    expect(await read('alice')).to.not.have.any.keys('client_id', 'has_client_secret')
    for (const [method, body] of [
      ['PATCH', { enabled: false }],
      ['DELETE', undefined],
    ] as const) {
      const answer = await patchbay.request(method, `/api/v1/connectors/${id}`, { key: keys.alice, body })
      expect([answer.status, answer.body.code]).to.deep.equal([403, 'forbidden'])
    }
  })

  it('gives each a link of their own, which only they are shown', async () => {
    const links = [
      await askForLink(patchbay, id, { key: keys.alice }),
      await askForLink(patchbay, id, { key: keys.bob }),
    ]
    expect(links[0]).to.not.equal(links[1])
    for (const [index, person] of (['alice', 'bob'] as const).entries()) {
      expect((await read(person)).auth_request).to.deep.equal({ type: 'code', authorization_endpoint: links[index] })
    }
    expect((await read('carol')).auth_request).to.equal(null)
  })

  it('names on its page whose it will be', async () => {
    const page = await createBrowser().open(await askForLink(patchbay, id, { key: keys.bob }))
    expect(page.text).to.include('Did you start this?').and.include('bob')
  })

  it('answers each with the account that they authorized', async () => {
    expect((await authorize(patchbay, id, { key: keys.alice, account: 'Alice' })).title).to.equal(
      'Authorization Successful',
    )
    expect(await read('bob'), 'Alice connecting does nothing for Bob').to.include({ state: 'auth_required' })
    expect((await authorize(patchbay, id, { key: keys.bob, account: 'Bob' })).title).to.equal(
      'Authorization Successful',
    )
    const answers = await Promise.all([whoami('alice'), whoami('bob'), whoami('alice'), whoami('bob')])
    expect(answers).to.deep.equal([{ account: 'Alice' }, { account: 'Bob' }, { account: 'Alice' }, { account: 'Bob' }])
  })

  it('refuses a session of one to the other', async () => {
    const open = (key: string, session?: string) =>
      fetch(`${patchbay.url}/connectors/${id}/mcp`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
        },
        body: JSON.stringify(
          session === undefined
            ? {
                jsonrpc: '2.0',
                id: 1,
                method: 'initialize',
                params: {
                  protocolVersion: '2025-11-25',
                  capabilities: {},
                  clientInfo: { name: 'by hand', version: '1' },
                },
              }
            : { jsonrpc: '2.0', id: 2, method: 'tools/list' },
        ),
      })
    const opened = await open(keys.alice)
    await opened.text()
    const session = opened.headers.get('mcp-session-id') ?? ''
    const [own, foreign] = [await open(keys.alice, session), await open(keys.bob, session)]
    await Promise.all([own.text(), foreign.text()])
    expect([own.status, foreign.status]).to.deep.equal([200, 404])
  })

  it('asks a third, who never connected, to do so', async () => {
    const { tools } = await listTools(patchbay, id, keys.carol)
    expect(tools.map(({ name }) => name)).to.deep.equal(['connect'])
    expect(tools[0]?.description).to.include('It was never connected.')
  })

  it('shows each only what befell their own connection', async () => {
    const [alice, bob, carol] = await Promise.all([eventsOf(keys.alice), eventsOf(keys.bob), eventsOf(keys.carol)])
    const connectionsIn = (events: typeof alice) => new Set(events.flatMap(({ connection_id }) => connection_id ?? []))
    expect(alice.map(({ type }) => type)).to.deep.equal([
      'connector.connected',
      'connector.auth_required',
      'connector.created',
    ])
    expect(connectionsIn(alice).size).to.equal(1)
    expect(connectionsIn(bob).size).to.equal(1)
    expect([...connectionsIn(alice)]).to.not.deep.equal([...connectionsIn(bob)])
    expect(carol.map(({ type }) => type)).to.deep.equal(['connector.created'])
  })

  it('disconnects one and leaves the other connected', async () => {
    const answer = await patchbay.request('POST', `/api/v1/connectors/${id}/disconnect`, { key: keys.alice })
    expect(answer.body).to.include({ state: 'disconnected', disconnect_reason: 'Client request' })
    expect(await read('bob')).to.include({ state: 'connected', disconnect_reason: null })
    expect(await whoami('bob')).to.deep.equal({ account: 'Bob' })
  })

  describe('when a service connects it', () => {
    it('must say for whom', async () => {
      const { status, body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
      expect([status, body.code]).to.deep.equal([400, 'subject_required'])
      expect(body.errors).to.deep.equal([{ path: 'subject', message: 'required for a service' }])
    })

    it('gets the link of that person, who is connected by it', async () => {
      const link = await askForLink(patchbay, id, { body: { subject: 'carol' } })
      expect((await read('carol')).auth_request.authorization_endpoint).to.equal(link)
      expect((await followLink(link, { account: 'Carol' })).title).to.equal('Authorization Successful')
      expect(await whoami('carol')).to.deep.equal({ account: 'Carol' })
    })

    it('is the only one who may: a member cannot name a subject', async () => {
      const { status, body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, {
        key: keys.alice,
        body: { subject: 'bob' },
      })
      expect([status, body.code]).to.deep.equal([403, 'forbidden'])
    })
  })
})
