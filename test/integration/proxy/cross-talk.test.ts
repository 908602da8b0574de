import { expect } from 'chai'
import { Secret } from '../../../src/kernel/secret.ts'
import { respondInPieces, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { createCaller, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const connectorIds = ['a', 'b', 'c'].map((digit) => `019b0000-0000-7000-8000-00000000000${digit}`)
const principals = Array.from({ length: 50 }, (_, index) => `person-${index}`)
const calls = 1000
const eventsPerCall = 4

type Said = { readonly nonce: string; readonly connectorId: string; readonly token: string; readonly index: number }

/** What the upstream of that connector says to one call, event by event, with a turn for the others after each. */
async function* say(said: Omit<Said, 'index'>): AsyncIterable<string> {
  for (let index = 0; index < eventsPerCall; index += 1) {
    yield `data: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { ...said, index } })}\n\n`
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('MCP endpoint, a thousand calls at once', function () {
  this.timeout(60_000)

  // @guards src/proxy/session-binding.ts:createSessionBinding
  // @guards src/proxy/upstream-request.ts:toUpstreamRequest
  it('PX-19, PX-13: of 50 principals at 3 connections, all with one JSON-RPC id: nobody gets a foreign byte', async () => {
    const upstreams = await Promise.all(
      connectorIds.map((connectorId) =>
        startScriptedUpstream(({ body, headers }) => {
          const { nonce } = JSON.parse(body).params
          return respondInPieces(say({ nonce, connectorId, token: headers.authorization ?? '' }), {
            'content-type': 'text/event-stream',
            'mcp-session-id': `session-of-${nonce}`,
          })
        }),
      ),
    )
    const started = await startEndpoint({
      upstreamUrl: '',
      limits: { callsPerSecond: 0, callsPerUpstream: calls },
      callers: principals,
      resolve: async ({ subject }, connectorId) => {
        const headers = { authorization: new Secret(`Bearer token-of-${subject}`) }
        const url = upstreams[connectorIds.indexOf(connectorId)]?.url ?? ''
        return usable(targetOf(url, { connectorId, connectionId: `connection-of-${connectorId}`, headers }))
      },
    })
    const caller = createCaller(started)
    try {
      const answers = await Promise.all(
        Array.from({ length: calls }, async (_, index) => {
          const subject = principals[index % principals.length] ?? ''
          const connectorId = connectorIds[index % connectorIds.length] ?? ''
          const nonce = `nonce-${index}`
          const answer = await caller.call({
            path: `/connectors/${connectorId}/mcp`,
            headers: { authorization: `Bearer pbk_${subject}` },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { nonce } }),
          })
          return { nonce, connectorId, token: `Bearer token-of-${subject}`, answer }
        }),
      )
      for (const { answer, ...said } of answers) {
        let expected = ''
        for await (const event of say(said)) expected += event
        expect(answer.body).to.equal(expected)
        expect(String(answer.headers['mcp-session-id'])).to.include(`session-of-${said.nonce}~`)
      }
      // control: the calls did come from each of the fifty, at each of the three
      expect(new Set(answers.map(({ connectorId, token }) => `${connectorId} ${token}`))).to.have.length(150)
    } finally {
      await caller.close()
      await started.close()
      await Promise.all(upstreams.map((each) => each.close()))
    }
  })
})
