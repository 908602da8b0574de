import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { until } from '../../support/until.ts'
import {
  type Answer,
  closeInBody,
  hangAfterHeaders,
  respondInPieces,
  respondResult,
  startScriptedUpstream,
} from '../../support/upstreams/scripted-upstream.ts'
import { type Caller, createCaller, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const eventStream = { 'content-type': 'text/event-stream', 'mcp-session-id': 'session' }
const answers: Readonly<Record<string, Answer>> = {
  json: respondResult({ content: [{ type: 'text', text: 'x'.repeat(900) }] }),
  events: respondInPieces(
    Array.from({ length: 5 }, (_, index) => `id: ${index}\ndata: {"n":${index}}\n\n`),
    eventStream,
  ),
  'cut by the caller': hangAfterHeaders(eventStream),
  'cut by the upstream': closeInBody('data: {}\n\n', eventStream),
}
const kinds = Object.keys(answers)
const callsPerRound = 200
const roundsPerWindow = 2
/** In the heap, for good. The least that could be held on to of a call, its record, is several times that. */
const maxBytesPerCall = 100
/** What is compiled and pooled in the meantime is in the first of them; what is held on to is in each. */
const maxWindows = 10

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

describe('MCP endpoint, over time', function () {
  this.timeout(120_000)

  // @guards src/proxy/heartbeat.ts:createHeartbeat
  // @guards src/proxy/relay.ts:startRelay
  it('REL-26: holds on to nothing of calls and streams that are over, however they ended', async () => {
    expect(await leastHeldPerCall(() => {}, maxWindows)).to.be.lessThan(maxBytesPerCall)
  })

  it('REL-26: negative control: a few words that somebody holds on to show', async () => {
    const held: string[][] = []
    const bytes = await leastHeldPerCall(() => void held.push(Array.from({ length: 200 }, String)), 3)
    expect(bytes).to.be.greaterThan(maxBytesPerCall)
    expect(held).to.have.length(4 * roundsPerWindow * callsPerRound)
  })
})

/**
 * Lets calls come and go by the hundred, window after window, until there is one after which hardly more is in the heap than
 * before. Says how much more, for each call.
 */
async function leastHeldPerCall(onCall: () => void, windows: number): Promise<number> {
  const upstream = await startScriptedUpstream(
    ({ headers }) => answers[String(headers['mcp-name'])] ?? respondResult({}),
  )
  const started = await startEndpoint({
    upstreamUrl: upstream.url,
    limits: { callsPerSecond: 0, callsPerCaller: callsPerRound, callsPerUpstream: callsPerRound },
    resolve: async () => {
      onCall()
      return usable(targetOf(upstream.url))
    },
  })
  const caller = createCaller(started)
  const run = async (count: number): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      await Promise.all(
        Array.from({ length: callsPerRound }, (_, index) => call(caller, kinds[index % kinds.length] ?? '')),
      )
      await until('all calls are over', () => started.inFlight() === 0)
      // what upstream and log keep for tests to look at
      for (const list of [upstream.received, started.log]) (list as unknown[]).splice(0)
    }
  }
  try {
    await run(roundsPerWindow)
    let least = Number.POSITIVE_INFINITY
    let before = used()
    const socketsBefore = before.sockets
    for (let window = 0; window < windows && least > maxBytesPerCall; window += 1) {
      await run(roundsPerWindow)
      const after = used()
      least = Math.min(least, (after.bytes - before.bytes) / (roundsPerWindow * callsPerRound))
      before = after
    }
    expect(before.sockets, 'open sockets').to.be.at.most(socketsBefore + callsPerRound)
    return least
  } finally {
    await caller.close()
    await started.close()
    await upstream.close()
  }
}

async function call(caller: Caller, kind: string): Promise<void> {
  const isListening = kind === 'cut by the caller'
  const { body } = await caller.open({ method: isListening ? 'GET' : 'POST', headers: { 'mcp-name': kind } })
  if (isListening) body.on('error', () => {}).destroy()
  else await body.text().catch((error) => expect(kind, String(error)).to.equal('cut by the upstream'))
}

function used(): { readonly bytes: number; readonly sockets: number } {
  for (let turn = 0; turn < 3; turn += 1) collectGarbage()
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  return { bytes: process.memoryUsage().heapUsed, sockets }
}
