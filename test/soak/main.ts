// `npm run test:soak -- --minutes 10`: one server process under calls and streams that come and go, most of them cut off by
// one side or the other. Fails when its memory grows by more than 1 MB in ten minutes after the warm-up (the first fifth), or
// when file descriptors are left behind. Linux only. Not part of `npm test`.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent } from 'undici'
import { createConnector } from '../support/connecting.ts'
import { startPatchbay } from '../support/patchbay.ts'
import { startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import {
  type Answer,
  closeInBody,
  hangAfterHeaders,
  respondInPieces,
  respondResult,
  startScriptedUpstream,
} from '../support/upstreams/scripted-upstream.ts'
import { slopePerTenMinutes } from './slope.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const minutes = Number(values.minutes)
const callsPerSecond = 60
const sampleMs = 5000
const maxMegabytes = 1
const eventStream = { 'content-type': 'text/event-stream', 'mcp-session-id': 'soak' }

const answers: Readonly<Record<string, Answer>> = {
  json: respondResult({ content: [{ type: 'text', text: 'x'.repeat(900) }] }),
  events: respondInPieces(
    Array.from({ length: 20 }, (_, index) => `id: ${index}\ndata: {"n":${index}}\n\n`),
    eventStream,
  ),
  'cut by the caller': hangAfterHeaders(eventStream),
  'cut by the upstream': closeInBody('data: {}\n\n', eventStream),
}
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
const server = await startServerProcess(patchbay, { env: { MCP_RATE_LIMIT: '0' } })
const agent = new Agent({ connections: 256 })
const isOver = await run()
await agent.destroy()
await server.kill()
await upstream.close()
await patchbay.close()
process.exit(isOver ? 0 : 1)

async function run(): Promise<boolean> {
  await callAll(callsPerSecond)

  const rss: { readonly atMs: number; readonly megabytes: number }[] = []
  const begun = performance.now()
  let calls = 0
  let sampledAt = 0
  let warmDescriptors = 0
  while (performance.now() - begun < minutes * 60_000) {
    const turn = performance.now()
    await callAll(callsPerSecond)
    calls += callsPerSecond
    const atMs = performance.now() - begun
    const isWarm = atMs > minutes * 12_000
    if (isWarm && atMs - sampledAt >= sampleMs) {
      sampledAt = atMs
      rss.push({ atMs, megabytes: residentMegabytes() })
      if (warmDescriptors === 0) warmDescriptors = await quietDescriptors()
    }
    await delay(Math.max(0, 1000 - (performance.now() - turn)))
  }
  const descriptors = await quietDescriptors()
  const slope = slopePerTenMinutes(rss)
  const first = rss[0]?.megabytes.toFixed(1)
  const last = rss.at(-1)?.megabytes.toFixed(1)
  console.log(`${calls} calls in ${minutes} minutes; RSS ${first} MB after the warm-up, ${last} MB at the end`)
  console.log(`slope ${slope.toFixed(2)} MB per ten minutes (at most ${maxMegabytes})`)
  console.log(`file descriptors ${warmDescriptors} after the warm-up, ${descriptors} at the end`)
  return slope <= maxMegabytes && descriptors <= warmDescriptors + 2
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
