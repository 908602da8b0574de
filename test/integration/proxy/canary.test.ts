import { expect } from 'chai'
import type { Resolution, UpstreamTarget } from '../../../src/connections/resolve-upstream.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import {
  type Answer,
  type ReceivedRequest,
  respond,
  respondJson,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import {
  bearer,
  type Caller,
  createCaller,
  type StartedEndpoint,
  sendBytes,
  startEndpoint,
  targetOf,
  usable,
} from './start-endpoint.ts'

const canary = 'canary-7d21ab'
/** Where a caller, or somebody on its way, may leave a secret. */
const planted = {
  cookie: `session=${canary}`,
  'proxy-authorization': `Bearer ${canary}`,
  'x-api-key': canary,
  'x-forwarded-for': canary,
  'x-forwarded-access-token': canary,
  forwarded: `for=${canary}`,
  referer: `https://app.example/?token=${canary}`,
  'x-amzn-oidc-data': canary,
  'cf-access-jwt-assertion': canary,
  from: canary,
}
const path = (started: StartedEndpoint) => `${new URL(started.url).pathname}?access_token=${canary}&q=${canary}`
const anEvent = respond(200, 'id: 8\ndata: {}\n\n', { 'content-type': 'text/event-stream' })

describe('secrets that are planted in a call', () => {
  let upstream: ScriptedUpstream
  let elsewhere: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller
  let answer: (request: ReceivedRequest) => Answer
  let recovered: (target: UpstreamTarget) => Resolution

  const withToken = (token: string, tokenVersion: number) =>
    targetOf(upstream.url, { tokenVersion, headers: { authorization: new Secret(`Bearer ${token}`) } })

  beforeEach(async () => {
    elsewhere = await startScriptedUpstream(() => respondJson({}))
    upstream = await startScriptedUpstream((request) => answer(request))
    answer = () => respondJson({})
    recovered = () => usable(withToken('fresh', 2))
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => usable(withToken('stale', 1)),
      recover: async (_principal, target) => recovered(target),
    })
    caller = createCaller(started)
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
    await elsewhere.close()
  })

  /** Nothing planted, and nothing of the caller's own credential, in any request that left the house. */
  function expectClean(requests: number): void {
    const sent = JSON.stringify([...upstream.received, ...elsewhere.received])
    expect(upstream.received).to.have.length(requests)
    expect(sent).not.to.include(canary)
    expect(sent).not.to.include(bearer('alice').authorization)
    for (const { headers } of upstream.received) expect(headers.authorization).to.match(/^Bearer (?:stale|fresh)$/)
  }

  const refused = (header: string, status = 401) =>
    ((request: ReceivedRequest) =>
      request.headers.authorization === 'Bearer fresh'
        ? respondJson({ fine: true })
        : respondJson({}, status, { 'www-authenticate': header })) satisfies typeof answer

  const paths: readonly {
    readonly name: string
    readonly arrange: () => void
    readonly call?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> }
    readonly status: number
    readonly requests: number
  }[] = [
    { name: 'a plain call', arrange: () => {}, status: 200, requests: 1 },
    {
      name: 'a resumption',
      arrange: () => {
        answer = () => anEvent
      },
      call: { method: 'GET', headers: { accept: 'text/event-stream', 'last-event-id': '7' } },
      status: 200,
      requests: 1,
    },
    { name: 'a DELETE', arrange: () => {}, call: { method: 'DELETE' }, status: 200, requests: 1 },
    {
      name: 'a retry after 401',
      arrange: () => {
        answer = refused('Bearer error="invalid_token"')
      },
      status: 200,
      requests: 2,
    },
    {
      name: 'a step-up',
      arrange: () => {
        answer = refused('Bearer error="insufficient_scope", scope="more"', 403)
      },
      status: 200,
      requests: 2,
    },
    {
      name: 'a redirect to somebody else',
      arrange: () => {
        answer = () => respond(307, '', { location: `${elsewhere.url}?${canary}` })
      },
      status: 502,
      requests: 1,
    },
    {
      name: 'an error of the upstream’s',
      arrange: () => {
        answer = () => respondJson({}, 500)
      },
      status: 500,
      requests: 1,
    },
  ]

  for (const { name, arrange, call = {}, status, requests } of paths) {
    // @guards src/proxy/request-headers.ts:readRequestHead
    it(`PX-01, PX-02: reach no upstream on ${name}`, async () => {
      arrange()
      const headers = { ...planted, ...call.headers }
      const got = await caller.call({ ...call, headers, path: path(started) })
      expect(got.status).to.equal(status)
      expectClean(requests)
      expect(elsewhere.received).to.deep.equal([])
      expect(JSON.stringify(started.log), 'nor the log').not.to.include(canary)
    })
  }

  it('control: what may pass does', async () => {
    await caller.call({ headers: { 'mcp-param-note': canary, traceparent: canary } })
    expect(JSON.stringify(upstream.received)).to.include(canary)
  })

  // @guards src/proxy/request-headers.ts:readRequestHead
  it('TK-07: a second Authorization is refused, and goes nowhere', async () => {
    const body = '{}'
    const text = await sendBytes(
      started.port,
      `POST ${path(started)} HTTP/1.1\r\nHost: 127.0.0.1:${started.port}\r\nAuthorization: ${bearer('alice').authorization}\r\n` +
        `Authorization: Bearer ${canary}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(text).to.match(/^HTTP\/1\.1 40[01] /)
    expect(upstream.received).to.deep.equal([])
  })
})
