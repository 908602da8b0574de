import { expect } from 'chai'
import type { Resolution } from '../../../src/connections/resolve-upstream.ts'
import { AppError } from '../../../src/kernel/app-error.ts'
import { until } from '../../support/until.ts'
import { respond, type ScriptedUpstream, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import {
  bearer,
  type Caller,
  connectorId,
  createCaller,
  type StartedEndpoint,
  startEndpoint,
  targetOf,
  usable,
} from './start-endpoint.ts'

const link = 'https://patchbay.example/connect/ticket'
const needs: Extract<Resolution, { kind: 'needs_connection' }> = {
  kind: 'needs_connection',
  lacks: 'grant',
  connectorName: 'Acme',
  connectUrl: link,
  isConnectable: true,
  grantEpoch: 1,
  reason: 'It was never connected.',
}
const text = `Acme is not connected. It was never connected. Open this link in a browser to connect it, then try again: ${link}`
const facts = {
  'patchbay/connection': {
    state: 'auth_required',
    connector_id: connectorId,
    reason: 'It was never connected.',
    url: link,
  },
}

const request = (method: string, params: object = {}, id: string | number | undefined = 7): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params })
const initialize = (capabilities: object = {}, protocolVersion = '2025-11-25') =>
  request('initialize', { protocolVersion, capabilities, clientInfo: { name: 'c', version: '1' } })
const opensLinks = { elicitation: { url: {} } }
const callOf = (name: string) => request('tools/call', { name, arguments: {} })

const modernHeaders = { 'mcp-protocol-version': '2026-07-28' }
const modern = (method: string, params: object = {}, capabilities: object = {}, version = '2026-07-28') =>
  request(method, {
    ...params,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    },
  })

describe('MCP endpoint, without a usable grant', () => {
  let started: StartedEndpoint
  let caller: Caller
  let upstream: ScriptedUpstream
  let resolution: Resolution
  let begin: () => Resolution

  beforeEach(async () => {
    resolution = needs
    begin = () => needs
    upstream = await startScriptedUpstream(({ body }) =>
      respond(200, JSON.stringify({ jsonrpc: '2.0', id: 7, result: { got: JSON.parse(body === '' ? '{}' : body) } }), {
        'content-type': 'application/json',
        'mcp-session-id': 's',
      }),
    )
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => resolution,
      begin: async () => begin(),
      // nothing is announced here: who waits looks by himself
      changes: { subscribe: () => () => {}, isLive: () => false, close: async () => {} },
      limits: { connectWaitMs: 1500 },
    })
    caller = createCaller(started)
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  const ask = async (body: string, headers: Record<string, string> = {}) => {
    const answer = await caller.call({ body, headers })
    return { status: answer.status, headers: answer.headers, ...JSON.parse(answer.body === '' ? '{}' : answer.body) }
  }
  const beginSession = async (capabilities: object = {}, version = '2025-11-25') => {
    const { headers } = await ask(initialize(capabilities, version))
    return { 'mcp-session-id': String(headers['mcp-session-id']), 'mcp-protocol-version': version }
  }

  describe('when a client of the legacy era comes', () => {
    // @guards src/proxy/own-session.ts:createOwnSession
    it('PX-18: begins a session of its own and asks nobody', async () => {
      const { status, headers, result } = await ask(initialize())
      expect(status).to.equal(200)
      expect(headers['mcp-session-id']).to.match(/^[\w-]{43}~-\.[\w-]{22}$/)
      expect(result).to.deep.include({ protocolVersion: '2025-11-25', capabilities: { tools: { listChanged: true } } })
      expect(result.serverInfo.name).to.equal('Acme')
      expect(result.instructions).to.equal(
        'Acme is not connected yet, so its tools are not here. It was never connected. Call the tool "connect" to get the ' +
          'link with which the user connects it; the tools appear as soon as that is done.',
      )
      expect(upstream.received).to.deep.equal([])
    })

    it('speaks every revision of the era that it is asked for, and the newest for any other', async () => {
      for (const version of ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']) {
        expect((await ask(initialize({}, version))).result.protocolVersion).to.equal(version)
      }
      expect((await ask(initialize({}, '1999-01-01'))).result.protocolVersion).to.equal('2025-11-25')
    })

    it('answers ping, and lists one tool', async () => {
      const session = await beginSession()
      expect((await ask(request('ping'), session)).result).to.deep.equal({})
      const { tools } = (await ask(request('tools/list'), session)).result
      expect(tools).to.have.length(1)
      expect(tools[0]).to.include({ name: 'connect', title: 'Connect Acme' })
      expect(tools[0].inputSchema.type).to.equal('object')
    })

    it('gives the link as the text of the tool’s result', async () => {
      const { status, result } = await ask(callOf('connect'), await beginSession())
      expect(status).to.equal(200)
      expect(result).to.deep.equal({ content: [{ type: 'text', text }], _meta: facts })
    })

    it('gives it as a failure to who calls a tool that is not there', async () => {
      const { result } = await ask(callOf('send_mail'), await beginSession())
      expect(result).to.deep.equal({ content: [{ type: 'text', text }], isError: true, _meta: facts })
    })

    it('answers what is no tool with an error that says the same', async () => {
      const { error } = await ask(request('prompts/get', { name: 'p' }), await beginSession())
      expect(error).to.deep.equal({ code: -32050, message: text, data: facts })
    })

    it('sends -32042 to a 2025-11-25 client whose initialize said that it opens links, and to no other', async () => {
      const session = await beginSession(opensLinks)
      const { error } = await ask(callOf('connect'), session)
      expect(error).to.deep.include({ code: -32042, message: text })
      const [elicitation] = error.data.elicitations
      expect(error.data).to.deep.equal({ ...facts, elicitations: [elicitation] })
      expect(elicitation).to.include({ mode: 'url', url: link, message: text })
      expect(elicitation.elicitationId).to.be.a('string').that.is.not.empty

      const others = [
        await beginSession({ elicitation: { form: {} } }),
        await beginSession({ elicitation: {} }),
        await beginSession(opensLinks, '2025-06-18'),
        { ...session, 'mcp-protocol-version': '2025-06-18' },
      ]
      for (const other of others) {
        expect((await ask(callOf('connect'), other)).result.content[0].text).to.equal(text)
      }
    })

    it('tells the session’s stream when it is connected, then knows the session no more', async () => {
      const session = await beginSession(opensLinks)
      const { error } = await ask(callOf('connect'), session)
      const stream = await caller.open({ method: 'GET', headers: { ...session, accept: 'text/event-stream' } })
      expect(stream.headers['content-type']).to.equal('text/event-stream')
      resolution = usable(targetOf(upstream.url, { grantEpoch: 2 }))
      const messages = (await stream.body.text()).split('\n').flatMap((line) => {
        return line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []
      })
      const { elicitationId } = error.data.elicitations[0]
      expect(messages).to.deep.equal([
        { jsonrpc: '2.0', method: 'notifications/elicitation/complete', params: { elicitationId } },
        { jsonrpc: '2.0', method: 'notifications/tools/list_changed' },
      ])
      expect((await caller.call({ body: request('tools/list'), headers: session })).status).to.equal(404)
      expect((await caller.call({ body: initialize() })).status, 'control').to.equal(200)
    })

    it('tells nobody of an elicitation who heard of none', async () => {
      const stream = await caller.open({ method: 'GET', headers: await beginSession() })
      resolution = usable(targetOf(upstream.url, { grantEpoch: 2 }))
      const words = await stream.body.text()
      expect(words).to.include('tools/list_changed')
      expect(words).not.to.include('elicitation')
    })

    it('gives a session to its own caller only', async () => {
      const session = await beginSession()
      const get = await caller.call({ method: 'GET', headers: { ...session, ...bearer('bob') } })
      expect(get.status).to.equal(405)
      expect((await ask(request('tools/list'), { ...session, ...bearer('bob') })).status).to.equal(404)
    })

    it('has no stream to open without a session, and ends what is asked', async () => {
      const get = await caller.call({ method: 'GET' })
      expect([get.status, get.headers.allow]).to.deep.equal([405, 'POST, DELETE'])
      expect((await caller.call({ method: 'DELETE', headers: await beginSession() })).status).to.equal(204)
    })

    it('ends its streams when the process is to end', async () => {
      const stream = await caller.open({ method: 'GET', headers: await beginSession() })
      started.endpoint.retireStreams('all')
      expect(await stream.body.text()).to.equal('')
    })

    it('sends a session of the upstream’s that outlived the grant back to initialize, but answers its calls', async () => {
      resolution = usable(targetOf(upstream.url))
      const session = await beginSession(opensLinks)
      resolution = needs
      expect((await ask(request('tools/list'), session)).status).to.equal(404)
      expect((await ask(callOf('send_mail'), session)).error.code).to.equal(-32042)
    })
  })

  describe('when a client of the modern era comes', () => {
    it('discovers a server with one tool, for now', async () => {
      const { status, result } = await ask(modern('server/discover'), modernHeaders)
      expect(status).to.equal(200)
      expect(result).to.deep.include({
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: { listChanged: true } },
        resultType: 'complete',
        ttlMs: 0,
        cacheScope: 'private',
      })
      const list = (await ask(modern('tools/list'), modernHeaders)).result
      expect(list).to.deep.include({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' })
      expect(list.tools.map(({ name }: { name: string }) => name)).to.deep.equal(['connect'])
    })

    it('refuses other versions, and methods that are not there, as such servers do', async () => {
      const other = await ask(modern('server/discover', {}, {}, '2027-01-01'), modernHeaders)
      expect([other.status, other.error.code, other.error.data.supported]).to.deep.equal([400, -32022, ['2026-07-28']])
      const unknown = await ask(modern('logging/setLevel'), modernHeaders)
      expect([unknown.status, unknown.error.code]).to.deep.equal([404, -32601])
    })

    it('gives the link as text to who does not open links', async () => {
      for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }]) {
        const { result } = await ask(modern('tools/call', { name: 'connect' }, capabilities), modernHeaders)
        expect(result).to.deep.equal({ content: [{ type: 'text', text }], resultType: 'complete', _meta: facts })
      }
    })

    const asking = async (name: string) =>
      (await ask(modern('tools/call', { name, arguments: { a: 1 } }, opensLinks), modernHeaders)).result
    const answering = (name: string, requestState: string, action = 'accept', headers = {}) =>
      ask(
        modern(
          'tools/call',
          { name, arguments: { a: 1 }, requestState, inputResponses: { connect: { action } } },
          opensLinks,
        ),
        { ...modernHeaders, ...headers },
      )

    it('asks who does to open it, with a state that is sealed', async () => {
      const result = await asking('send_mail')
      expect(result).to.deep.equal({
        resultType: 'input_required',
        inputRequests: { connect: { method: 'elicitation/create', params: { mode: 'url', url: link, message: text } } },
        requestState: result.requestState,
        _meta: facts,
      })
      expect(result.requestState).to.match(/^patchbay:v1\./)
      expect(result.requestState).not.to.include('alice')
    })

    it('goes on with the call once it is connected, as if nothing had been asked', async () => {
      const { requestState } = await asking('send_mail')
      const going = answering('send_mail', requestState)
      await until('the call waits', () => started.inFlight() === 1)
      resolution = usable(targetOf(upstream.url, { grantEpoch: 2 }))
      const { got } = (await going).result
      expect(got.params).to.have.all.keys('name', 'arguments', '_meta')
      expect(got.params).to.deep.include({ name: 'send_mail', arguments: { a: 1 } })
    })

    it('says that it is connected to who called our tool', async () => {
      const { requestState } = await asking('connect')
      resolution = usable(targetOf(upstream.url, { grantEpoch: 2 }))
      const { result } = await answering('connect', requestState)
      expect(result.content[0].text).to.include('connected now')
      expect(upstream.received).to.deep.equal([])
    })

    it('waits for a while, and says when nobody has connected it', async () => {
      const { requestState } = await asking('connect')
      const { result } = await answering('connect', requestState)
      expect(result.isError).to.equal(true)
      expect(result.content[0].text).to.equal(
        `It is not connected yet. Try again when that is done. The link is still good: ${link}`,
      )
    })

    it('asks for another grant where the old one is not enough, and takes no old one for it', async () => {
      resolution = { ...needs, lacks: 'scope', grantEpoch: 4 }
      const { requestState } = await asking('send_mail')
      resolution = usable(targetOf(upstream.url, { grantEpoch: 4 }))
      expect((await answering('send_mail', requestState)).result.isError).to.equal(true)
      expect(upstream.received).to.deep.equal([])
      resolution = usable(targetOf(upstream.url, { grantEpoch: 5 }))
      expect((await answering('send_mail', requestState)).result.got.method).to.equal('tools/call')
    })

    it('takes no for an answer', async () => {
      const { requestState } = await asking('connect')
      const { result } = await answering('connect', requestState, 'decline')
      expect([result.isError, result.content[0].text]).to.deep.equal([
        true,
        'It was not connected: the link was not opened.',
      ])
    })

    // @guards src/proxy/request-state.ts:createRequestStates
    it('PX-13: refuses a state that was altered, or is somebody else’s', async () => {
      const { requestState } = await asking('connect')
      const altered = `${requestState.slice(0, -2)}${requestState.endsWith('AA') ? 'BB' : 'AA'}`
      for (const answer of [
        await answering('connect', altered),
        await answering('connect', `${requestState}x`),
        await answering('connect', 'patchbay:v1.nope'),
        await answering('connect', requestState, 'accept', bearer('bob')),
      ]) {
        expect(JSON.stringify(answer)).to.include('Invalid or expired requestState')
      }
    })

    it('leaves an upstream’s own states alone', async () => {
      resolution = usable(targetOf(upstream.url))
      const { got } = (await answering('send_mail', 'theirs')).result
      expect(got.params).to.deep.include({ requestState: 'theirs', inputResponses: { connect: { action: 'accept' } } })
    })

    it('tells a listener when it is connected', async () => {
      const body = modern('subscriptions/listen', { notifications: { toolsListChanged: true } })
      const stream = await caller.open({ body, headers: modernHeaders })
      resolution = usable(targetOf(upstream.url, { grantEpoch: 2 }))
      const messages = (await stream.body.text()).split('\n').flatMap((line) => {
        return line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []
      })
      expect(messages.map(({ method }) => method)).to.deep.equal([
        'notifications/subscriptions/acknowledged',
        'notifications/tools/list_changed',
        undefined,
      ])
      for (const { params, result } of messages) {
        expect((params ?? result)._meta['io.modelcontextprotocol/subscriptionId']).to.equal(7)
      }
    })
  })

  describe('when nobody has a link yet', () => {
    beforeEach(() => {
      resolution = { ...needs, connectUrl: null }
    })

    it('makes one for a caller who may connect, when a tool is called and not before', async () => {
      let begun = 0
      begin = () => {
        begun += 1
        return needs
      }
      const session = await beginSession()
      await ask(request('tools/list'), session)
      expect(begun).to.equal(0)
      expect((await ask(callOf('connect'), session)).result.content[0].text).to.equal(text)
      expect(begun).to.equal(1)
    })

    it('says so when nobody had to be asked', async () => {
      begin = () => usable(targetOf(upstream.url))
      const { result } = await ask(callOf('connect'), await beginSession())
      expect(result.content[0].text).to.equal(
        'Acme is connected now. Its tools are there: list them again, then go on.',
      )
    })

    it('says why when it cannot be connected', async () => {
      begin = () => {
        throw new AppError('upstream_unreachable', 'ECONNREFUSED 10.0.0.1', { meta: { secret: 'x' } })
      }
      const { result } = await ask(callOf('connect'), await beginSession())
      expect(result).to.deep.equal({
        isError: true,
        content: [
          {
            type: 'text',
            text: 'Acme could not be connected. The MCP server behind this connector cannot be reached. Try again later.',
          },
        ],
      })
    })
  })

  describe('when the caller may not connect', () => {
    it('asks for an administrator, without a link, in every form', async () => {
      resolution = { ...needs, connectUrl: null, isConnectable: false, reason: 'Client request' }
      begin = () => expect.fail('asked to connect')
      const words = 'Acme is not connected. Client request. Ask an administrator to connect it.'
      const session = await beginSession(opensLinks)
      const answers = [
        await ask(callOf('connect'), session),
        await ask(callOf('connect'), await beginSession()),
        await ask(modern('tools/call', { name: 'connect' }, opensLinks), modernHeaders),
      ]
      for (const { result } of answers) {
        expect(result.content[0].text).to.equal(words)
        expect(result.isError).to.equal(true)
        expect(JSON.stringify(result)).not.to.include('http')
      }
      expect((await ask(request('tools/list'), session)).result.tools[0].description).to.equal(
        'Acme is not connected yet, so its tools are not here. Client request. Tell the user to ask an administrator to connect it.',
      )
    })
  })

  describe('when a grant is there, and not enough', () => {
    it('prompts for what was asked, and begins no session of its own', async () => {
      resolution = { ...needs, lacks: 'scope', reason: 'This call needs permissions that were not asked for yet.' }
      expect((await ask(initialize())).error.code).to.equal(-32050)
      expect((await ask(callOf('send_mail'))).result.content[0].text).to.match(
        /^Acme needs more permissions\. This call/,
      )
      resolution = { ...needs, lacks: 'scope_for_good', connectUrl: null, isConnectable: false, reason: 'No.' }
      expect((await ask(callOf('send_mail'))).result.content[0].text).to.equal('Acme does not permit this. No.')
    })
  })

  it('accepts notifications and answers of the client, in batches too', async () => {
    const notification = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
    const response = JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} })
    for (const body of [notification, response, `[${notification},${response}]`]) {
      expect(await caller.call({ body }), body).to.include({ status: 202, body: '' })
    }
    const batch = await caller.call({ body: `[${request('ping', {}, 1)},${notification},${request('b', {}, 2)}]` })
    expect(JSON.parse(batch.body).map(({ id }: { id: number }) => id)).to.deep.equal([1, 2])
  })

  it('answers what is no JSON-RPC with -32700', async () => {
    for (const body of ['{', '[]', '"x"', '{"id":{}}']) {
      const answer = await caller.call({ body })
      expect(answer.status, body).to.equal(400)
      expect(JSON.parse(answer.body).error.code).to.equal(-32700)
    }
  })
})
