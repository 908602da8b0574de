// Lets calls come and go, sixteen at a time, and looks at each collection of the young generation: what outlives it though the
// calls are over. Prints the median in bytes for each call, as JSON. Wants a job: how many calls, and how many words to hold on
// to for each until a thousand more have come.
import assert from 'node:assert/strict'
import { GCProfiler } from 'node:v8'
import { letCallsDieYoung } from '../../../src/process/let-calls-die-young.ts'
import { respondResult, startScriptedUpstream } from '../../support/upstreams/scripted-upstream.ts'
import { createCaller, startEndpoint, targetOf, usable } from './start-endpoint.ts'

const job: { calls: number; wordsHeld: number } = JSON.parse(process.argv[2] ?? '')
const atOnce = 16
letCallsDieYoung()
const heldAtMost = 1000

const held: string[][] = []
let resolved = 0
const upstream = await startScriptedUpstream(() =>
  respondResult({ content: [{ type: 'text', text: 'x'.repeat(900) }] }),
)
const started = await startEndpoint({
  upstreamUrl: upstream.url,
  limits: { callsPerSecond: 0 },
  resolve: async () => {
    resolved += 1
    if (job.wordsHeld > 0) held[resolved % heldAtMost] = Array.from({ length: job.wordsHeld }, () => `word ${resolved}`)
    return usable(targetOf(upstream.url))
  },
})
const caller = createCaller(started)
// what is compiled and pooled at first stays
await pass(job.calls)
const profiler = new GCProfiler()
profiler.start()
const before = resolved
await pass(job.calls)
const calls = resolved - before
const scavenges = profiler.stop().statistics.filter(({ gcType }) => gcType === 'Scavenge')
await caller.close()
await started.close()
await upstream.close()

const usedAfter = scavenges.map(({ afterGC }) => afterGC.heapStatistics.usedHeapSize)
// A collection of the old generation between two of them makes less of it, so the median.
const grown = usedAfter
  .slice(1)
  .map((used, index) => used - (usedAfter[index] ?? 0))
  .sort((one, other) => one - other)
const median = grown[Math.floor(grown.length / 2)] ?? Number.NaN
assert(scavenges.length >= 5, `only ${scavenges.length} collections`)
console.log(JSON.stringify({ bytes: (median * scavenges.length) / calls }))

async function pass(count: number): Promise<void> {
  for (let done = 0; done < count; done += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => caller.call()))
    // what upstream and log keep for tests to look at
    for (const list of [upstream.received, started.log]) (list as unknown[]).splice(0)
  }
}
