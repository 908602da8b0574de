import { expect } from 'chai'
import type { Resolution, UpstreamTarget } from '../../../src/connections/resolve-upstream.ts'
import { AppError } from '../../../src/kernel/app-error.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import type { UnauthorizedAnswer } from '../../../src/proxy/ports.ts'
import { until } from '../../support/until.ts'
import {
  type Answer,
  hangAfterHeaders,
  respondJson,
  type ScriptedUpstream,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { type Caller, createCaller, type StartedEndpoint, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const needs: Resolution = {
  kind: 'needs_connection',
  lacks: 'grant',
  connectorName: 'Acme',
  connectUrl: 'https://patchbay.example/connect/ticket',
  isConnectable: true,
  grantEpoch: 1,
  reason: 'It was never connected.',
}

describe('MCP endpoint, when the upstream refuses the credential', () => {
  const challenge = 'Bearer error="invalid_token", resource_metadata="https://evil.example/metadata"'
  const refusal = respondJson({ error: 'nope' }, 401, { 'www-authenticate': challenge })
  let upstream: ScriptedUpstream
  let started: StartedEndpoint
  let caller: Caller
  let recoveries: { readonly target: UpstreamTarget; readonly answer: UnauthorizedAnswer }[]
  let recovered: (target: UpstreamTarget) => Resolution | Promise<Resolution>

  const withToken = (token: string, tokenVersion: number): UpstreamTarget =>
    targetOf(upstream.url, { tokenVersion, headers: { authorization: new Secret(`Bearer ${token}`) } })

  beforeEach(async () => {
    upstream = await startScriptedUpstream((it) =>
      it.headers.authorization === 'Bearer fresh' ? respondJson({ served: it.body }) : refusal,
    )
    recoveries = []
    recovered = () => usable(withToken('fresh', 2))
    started = await startEndpoint({
      upstreamUrl: upstream.url,
      resolve: async () => usable(withToken('stale', 1)),
      recover: async (principal, target, answer) => {
        expect(principal.id).to.equal('alice')
        recoveries.push({ target, answer })
        return recovered(target)
      },
    })
    caller = createCaller(started)
  })
  afterEach(async () => {
    await caller.close()
    await started.close()
    await upstream.close()
  })

  for (const method of ['POST', 'GET', 'DELETE']) {
    it(`REL-12: renews it once and sends the ${method} once more, unseen by the caller`, async () => {
      const answer = await caller.call({ method })
      expect(answer.status).to.equal(200)
      expect(upstream.received.map(({ headers }) => headers.authorization)).to.deep.equal([
        'Bearer stale',
        'Bearer fresh',
      ])
      expect(upstream.received[1]?.body).to.equal(upstream.received[0]?.body)
      expect(recoveries.map(({ answer: { status, attempt } }) => [status, attempt])).to.deep.equal([[401, 1]])
      expect(recoveries[0]?.answer.challenge).to.include({ error: 'invalid_token' })
    })
  }

  // @guards src/proxy/relay-call.ts:checkReplay
  it('REL-12: a second refusal is the end of it: 502, no loop', async () => {
    let version = 1
    recovered = () => {
      version += 1
      return usable(withToken('stale', version))
    }
    const answer = await caller.call()
    expect(answer.status).to.equal(502)
    expect(upstream.received.length).to.equal(2)
    expect(recoveries.map(({ answer: { attempt } }) => attempt)).to.deep.equal([1, 2])
  })

  it('REL-12: does not try again with the very credential that was refused', async () => {
    recovered = (target) => usable(target)
    expect((await caller.call()).status).to.equal(502)
    expect(upstream.received.length).to.equal(1)
  })

  it('REL-12: a body over 1 MB is not sent twice: 503 with Retry-After', async () => {
    const answer = await caller.call({ body: 'x'.repeat(1024 * 1024 + 1) })
    expect(answer.status).to.equal(503)
    expect(answer.headers['retry-after']).to.equal('1')
    expect(upstream.received.length).to.equal(1)
    expect((await caller.call({ body: 'x'.repeat(1024 * 1024) })).status, 'control').to.equal(200)
  })

  it('G8: a 403 that asks for scopes goes the same way, any other 403 passes', async () => {
    const stepUp = respondJson({}, 403, {
      'www-authenticate': 'Bearer error="insufficient_scope", scope="files:write"',
    })
    upstream.script((it) => (it.headers.authorization === 'Bearer fresh' ? respondJson({}) : stepUp))
    expect((await caller.call()).status).to.equal(200)
    expect(recoveries[0]?.answer).to.deep.include({
      status: 403,
      challenge: { error: 'insufficient_scope', scope: 'files:write' },
    })
    upstream.script(() => respondJson({ mine: true }, 403, { 'www-authenticate': 'Bearer error="invalid_token"' }))
    const plain = await caller.call()
    expect(plain).to.include({ status: 403, body: '{"mine":true}' })
    expect(plain.headers).not.to.have.property('www-authenticate')
    expect(recoveries.length).to.equal(1)
  })

  // @guards src/proxy/answer-plan.ts:planAnswer
  it('PX-04: whatever comes of it, the upstream’s challenge and body never pass', async () => {
    const outcomes: (() => Resolution | Promise<Resolution>)[] = [
      () => usable(withToken('stale', 9)),
      () => needs,
      () => Promise.reject(new AppError('refresh_in_progress', 'busy')),
      () => Promise.reject(new Error('bug')),
    ]
    const statuses: number[] = []
    for (const outcome of outcomes) {
      recovered = outcome
      const answer = await caller.call()
      statuses.push(answer.status)
      expect(answer.headers).not.to.have.property('www-authenticate')
      expect(JSON.stringify(answer)).not.to.include('evil.example').and.not.to.include('nope')
    }
    expect(statuses).to.deep.equal([502, 200, 503, 500])
  })

  it('does not wait for a refusal whose body never ends', async () => {
    const endless: Answer = (response) => {
      response.writeHead(401, { 'content-type': 'text/html' }).write('x')
    }
    upstream.script((it) => (it.headers.authorization === 'Bearer fresh' ? respondJson({}) : endless))
    expect((await caller.call()).status).to.equal(200)
    await upstream.received[0]?.over
  })

  it('sends nothing more when the caller hung up meanwhile', async () => {
    let release: (resolution: Resolution) => void = () => {}
    recovered = () =>
      new Promise((resolve) => {
        release = resolve
      })
    const controller = new AbortController()
    const call = caller.open({ signal: controller.signal }).catch((error: Error) => error)
    await until('the recovery', () => recoveries.length === 1)
    controller.abort()
    await call
    await until('nothing in flight', () => started.inFlight() === 0)
    release(usable(withToken('fresh', 2)))
    upstream.script(() => hangAfterHeaders())
    await caller.call({ method: 'OPTIONS' })
    expect(upstream.received.length).to.equal(1)
  })
})
