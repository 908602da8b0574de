import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Answer as HttpAnswer, type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal } from '../support/problem.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import {
  type Answer,
  closeInBody,
  closeSocket,
  hang,
  hangAfterHeaders,
  respond,
  respondHtml,
  respondJson,
  type ScriptedUpstream,
  sendRaw,
  startScriptedUpstream,
} from '../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../support/upstreams/serve-mcp.ts'

const connectors = '/api/v1/connectors'
const realProbeMs = 15_000
/** The scale at which tests run what takes long. */
const probeMs = realProbeMs / 20
/** Stands in everything that the upstream says, and must not come out. */
const canary = 'canary-d41d8cd98f'

describe('POST /connectors/{id}/connect, when the upstream is at fault', () => {
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  let count = 0

  /** At the real 15 seconds, while everything else runs. */
  let slow: { patchbay: Patchbay; upstream: ScriptedUpstream; answered: Promise<{ answer: HttpAnswer; ms: number }> }

  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay({ timings: { probeMs } }), startScriptedUpstream()])
    const [other, silent] = await Promise.all([startPatchbay(), startScriptedUpstream(hang)])
    const id = await createConnector(other, silent.url)
    const begun = performance.now()
    const answered = expectRefusal(other, () => other.request('POST', `${connectors}/${id}/connect`), {
      status: 504,
      code: 'upstream_timeout',
    }).then((answer) => ({ answer, ms: performance.now() - begun }))
    answered.catch(() => undefined)
    slow = { patchbay: other, upstream: silent, answered }
  })
  after(async () => {
    await Promise.all([upstream.close(), slow.upstream.close()])
    await Promise.all([patchbay.close(), slow.patchbay.close()])
  })

  const connect = (id: string, body: object) => () => patchbay.request('POST', `${connectors}/${id}/connect`, { body })
  const newConnector = (url: string) => {
    count += 1
    return createConnector(patchbay, url, { label: `fault ${count}` })
  }

  type Fault = { readonly title: string; readonly answer: Answer; readonly status: number; readonly code: string }
  const faults: readonly Fault[] = [
    { title: 'answers 500', answer: respondJson({ error: canary }, 500), status: 502, code: 'upstream_error' },
    { title: 'answers 503', answer: respond(503, canary), status: 502, code: 'upstream_error' },
    { title: 'answers 404', answer: respondHtml(canary, 404), status: 502, code: 'upstream_error' },
    { title: 'answers 429', answer: respond(429, canary, { 'retry-after': '5' }), status: 502, code: 'upstream_error' },
    { title: 'answers HTML', answer: respondHtml(`<h1>${canary}</h1>`), status: 502, code: 'upstream_protocol_error' },
    {
      title: 'answers JSON that is not MCP',
      answer: respondJson({ hello: canary }),
      status: 502,
      code: 'upstream_protocol_error',
    },
    {
      title: 'answers what is not HTTP',
      answer: sendRaw(`${canary}\r\n\r\n`),
      status: 502,
      code: 'upstream_protocol_error',
    },
    {
      title: 'answers with a redirect',
      answer: respond(302, '', { location: `https://${canary}.example/` }),
      status: 502,
      code: 'upstream_protocol_error',
    },
    { title: 'closes the socket', answer: closeSocket(), status: 504, code: 'upstream_unreachable' },
    {
      title: 'closes the socket in its answer',
      answer: closeInBody(`{"jsonrpc":"2.0","x":"${canary}`),
      status: 502,
      code: 'upstream_protocol_error',
    },
    { title: 'hangs', answer: hang(), status: 504, code: 'upstream_timeout' },
    { title: 'hangs after its headers', answer: hangAfterHeaders(), status: 504, code: 'upstream_timeout' },
    {
      title: 'refuses, and names nobody to ask',
      answer: (response, request) =>
        (request.target === '/mcp' ? respond(401, canary) : respond(404, canary))(response, request),
      status: 502,
      code: 'authorization_server_not_found',
    },
  ]
  for (const { title, answer, status, code } of faults) {
    it(`${status} when it ${title}; nothing is stored or passed on`, async () => {
      upstream.script(() => answer)
      const id = await newConnector(upstream.url)
      const refusal = await expectRefusal(patchbay, connect(id, {}), { status, code })
      expect(refusal.text).to.not.include(canary)
      expect((await patchbay.request('GET', `${connectors}/${id}`)).body).to.include({
        state: 'created',
        last_error: null,
      })
      expect(patchbay.logs.join('')).to.not.include(canary)
    })
  }

  it('504 when nothing listens there', async () => {
    const [port] = await freePorts(1)
    const id = await newConnector(`http://127.0.0.1:${port}/mcp`)
    await expectRefusal(patchbay, connect(id, {}), { status: 504, code: 'upstream_unreachable' })
  })

  it('names the status with which it answered', async () => {
    upstream.script(() => respond(503))
    const { body } = await connect(await newConnector(upstream.url), {})()
    expect(body.detail).to.include('503')
  })

  describe('when a token is given', () => {
    it('400 when the server does not take it; nothing is stored', async () => {
      upstream.script(() => respond(401, canary))
      const id = await newConnector(upstream.url)
      const send = connect(id, { access_token: 'not-good' })
      const refusal = await expectRefusal(patchbay, send, { code: 'access_token_rejected' })
      expect(refusal.text).to.not.include('not-good').and.not.include(canary)
    })

    it('502 when the server fails; nothing is stored', async () => {
      upstream.script(() => respond(500))
      const send = connect(await newConnector(upstream.url), { access_token: 'good' })
      await expectRefusal(patchbay, send, { status: 502, code: 'upstream_error' })
    })
  })

  describe('when the connector is connected already', () => {
    for (const { title, answer, status, code } of faults) {
      it(`stays connected when the upstream ${title}`, async () => {
        upstream.script(serveMcp)
        const id = await newConnector(upstream.url)
        expect((await connect(id, {})()).body).to.include({ state: 'connected' })
        upstream.script(() => answer)
        await expectRefusal(patchbay, connect(id, {}), { status, code })
        expect((await patchbay.request('GET', `${connectors}/${id}`)).body).to.include({
          state: 'connected',
          disconnect_reason: null,
        })
      })
    }
  })

  it('504 after the real 15 seconds when it hangs', async () => {
    const { ms } = await slow.answered
    console.log(`      answered after ${(ms / 1000).toFixed(2)} s`)
    expect(ms).to.be.within(realProbeMs - 100, realProbeMs + 3000)
  }).timeout(30_000)
})
