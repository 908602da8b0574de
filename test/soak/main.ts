// `npm run test:soak -- --minutes 10`: one server process under calls and streams that come and go, most of them cut off by
// one side or the other. First at four times the pace, until memory has settled, then at an even pace for so many minutes.
// Memory is looked at after a collection: at this pace V8 lets tens of megabytes of garbage lie for many minutes, which is no
// leak. Fails when resident memory or the heap grows by more than 1 MB in ten minutes, or when file descriptors are left
// behind. Linux only. Not part of `npm test`.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent } from 'undici'
import { createConnector } from '../support/connecting.ts'
import { startPatchbay } from '../support/patchbay.ts'
import { startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { mixedAnswers } from '../support/upstreams/mixed-answers.ts'
import { respondResult, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'
import { readServerMemory, type ServerMemory } from './inspect-server.ts'
import { slopePerTenMinutes } from './slope.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const minutes = Number(values.minutes)
const callsPerSecond = 60
const sampleMs = 10_000
const maxMegabytes = 1
const settlingMs = 60_000
const maxWarmUpMs = 600_000

const answers = mixedAnswers(20)
const kinds = Object.keys(answers)

const patchbay = await startPatchbay()
const upstream = await startScriptedUpstream(({ body, headers }) => {
  const kind = /"kind":"([^"]+)"/.exec(body)?.[1] ?? String(headers['mcp-name'])
  return (
    answers[kind] ??
    respondResult({ protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } })
  )
})
const id = await createConnector(patchbay, upstream.url, { transport: 'streamable_http', auth: { type: 'none' } })
const { body } = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
if (body.state !== 'connected') throw new Error(`the connector is ${body.state}`)
const [inspectorPort = 0] = await freePorts(1)
const server = await startServerProcess(patchbay, {
  env: { MCP_RATE_LIMIT: '0', NODE_OPTIONS: `--inspect=127.0.0.1:${inspectorPort}` },
})
const agent = new Agent({ connections: 256 })
const isOver = await run()
await agent.destroy()
await server.kill()
await upstream.close()
await patchbay.close()
process.exit(isOver ? 0 : 1)

async function run(): Promise<boolean> {
  console.log(`memory had settled after ${await settle()} s`)
  const descriptorsBefore = await quietDescriptors()
  const samples: (ServerMemory & { readonly atMs: number })[] = []
  const begun = performance.now()
  let calls = 0
  let highest = 0
  while (performance.now() - begun < minutes * 60_000) {
    const turn = performance.now()
    await callAll(callsPerSecond)
    calls += callsPerSecond
    highest = Math.max(highest, residentMegabytes())
    const atMs = performance.now() - begun
    if (atMs >= samples.length * sampleMs) samples.push({ atMs, ...(await readServerMemory(inspectorPort)) })
    await delay(Math.max(0, 1000 - (performance.now() - turn)))
  }
  const descriptors = await quietDescriptors()
  console.log(`${calls} calls in ${minutes} minutes; resident at most ${highest.toFixed(0)} MB, garbage included`)
  const slopes = (['resident', 'heap', 'outside'] as const).map((name) => {
    const slope = slopePerTenMinutes(samples.map((sample) => ({ atMs: sample.atMs, megabytes: sample[name] })))
    const [first, last] = [samples[0], samples.at(-1)].map((sample) => sample?.[name].toFixed(2))
    console.log(`${name}: ${first} MB, in the end ${last} MB, ${slope.toFixed(2)} MB per ten minutes`)
    return slope
  })
  console.log(`file descriptors: ${descriptorsBefore}, in the end ${descriptors}`)
  return slopes.every((slope) => slope <= maxMegabytes) && descriptors <= descriptorsBefore + 2
}

/** Calls at four times the pace until memory has found its size. @returns how long that took, in seconds */
async function settle(): Promise<number> {
  const begun = performance.now()
  let highestBefore = 0
  for (let isSettled = false; !isSettled; ) {
    const windowBegun = performance.now()
    while (performance.now() - windowBegun < settlingMs) {
      const turn = performance.now()
      await callAll(callsPerSecond)
      await delay(Math.max(0, 250 - (performance.now() - turn)))
    }
    const { resident } = await readServerMemory(inspectorPort)
    isSettled = resident <= highestBefore + maxMegabytes
    highestBefore = Math.max(highestBefore, resident)
    if (performance.now() - begun > maxWarmUpMs) throw new Error('resident memory does not settle')
  }
  return Math.round((performance.now() - begun) / 1000)
}

/** So many calls at once, of each kind as many, over when all are. */
async function callAll(count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => call(kinds[index % kinds.length] ?? '')))
}

async function call(kind: string): Promise<void> {
  const isListening = kind === 'cut by the caller'
  try {
    const response = await agent.request({
      origin: server.url,
      path: `/connectors/${id}/mcp`,
      method: isListening ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${patchbay.admin}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-name': kind,
      },
      body: isListening ? null : JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { kind } }),
    })
    if (response.statusCode !== 200) throw new Error(`${kind}: ${response.statusCode}`)
    if (isListening) response.body.on('error', () => {}).destroy()
    else await response.body.text()
  } catch (error) {
    if (kind !== 'cut by the upstream') throw error
  }
}

/** Once what was kept for a next call has been given up. */
async function quietDescriptors(): Promise<number> {
  let before = -1
  await until(
    'sockets settle',
    async () => {
      const now = openSockets()
      const isSettled = now === before
      before = now
      await delay(6000)
      return isSettled
    },
    60_000,
  )
  return before
}

function openSockets(): number {
  return readdirSync(`/proc/${server.child.pid}/fd`).length
}

function residentMegabytes(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]) / 1024
}
