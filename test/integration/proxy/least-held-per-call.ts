// Lets calls come and go by the hundred, window after window, until there is one after which hardly more is in the heap than
// before. Prints how much more, in bytes for each call, as JSON. Wants `--expose-gc` and a job: so many windows at most, what is
// little enough to stop at, and how many words to hold on to for each call.
import assert from 'node:assert/strict'
import { until } from '../../support/until.ts'
import { mixedAnswers } from '../../support/upstreams/mixed-answers.ts'
import { respondResult, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { type Caller, createCaller, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const job: { windows: number; enough: number; wordsHeld: number } = JSON.parse(process.argv[2] ?? '')
const answers = mixedAnswers(5)
const kinds = Object.keys(answers)
const callsPerRound = 200
const roundsPerWindow = 2
const callsPerWindow = roundsPerWindow * callsPerRound

const held: string[][] = []
const upstream = await startScriptedUpstream(({ headers }) => answers[String(headers['mcp-name'])] ?? respondResult({}))
const started = await startEndpoint({
  upstreamUrl: upstream.url,
  limits: { callsPerSecond: 0, callsPerCaller: callsPerRound, callsPerUpstream: callsPerRound },
  resolve: async () => {
    if (job.wordsHeld > 0) held.push(Array.from({ length: job.wordsHeld }, String))
    return usable(targetOf(upstream.url))
  },
})
const caller = createCaller(started)
await passWindow()
let bytes = Number.POSITIVE_INFINITY
let before = used()
const socketsBefore = before.sockets
let windows = 0
for (; windows < job.windows && bytes > job.enough; windows += 1) {
  await passWindow()
  const after = used()
  bytes = Math.min(bytes, (after.bytes - before.bytes) / callsPerWindow)
  before = after
}
assert(before.sockets <= socketsBefore + callsPerRound, `${before.sockets} sockets are open`)
assert.equal(held.length, job.wordsHeld > 0 ? (windows + 1) * callsPerWindow : 0)
await caller.close()
await started.close()
await upstream.close()
console.log(JSON.stringify({ bytes }))

async function passWindow(): Promise<void> {
  for (let round = 0; round < roundsPerWindow; round += 1) {
    await Promise.all(
      Array.from({ length: callsPerRound }, (_, index) => call(caller, kinds[index % kinds.length] ?? '')),
    )
    await until('all calls are over', () => started.inFlight() === 0)
    // what upstream and log keep for tests to look at
    for (const list of [upstream.received, started.log]) (list as unknown[]).splice(0)
  }
}

async function call(caller: Caller, kind: string): Promise<void> {
  const isListening = kind === 'cut by the caller'
  const { body } = await caller.open({ method: isListening ? 'GET' : 'POST', headers: { 'mcp-name': kind } })
  if (isListening) body.on('error', () => {}).destroy()
  else await body.text().catch((error) => assert.equal(kind, 'cut by the upstream', String(error)))
}

function used(): { readonly bytes: number; readonly sockets: number } {
  assert(globalThis.gc !== undefined, 'start it with --expose-gc')
  for (let turn = 0; turn < 3; turn += 1) globalThis.gc()
  const sockets = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  return { bytes: process.memoryUsage().heapUsed, sockets }
}
