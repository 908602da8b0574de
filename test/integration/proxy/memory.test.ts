import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'

/** In the heap, for good, in bytes. The least that could be held on to of a call, its record, is several times that. */
const maxBytesPerCall = 100
/** Of a call that is over, at a collection of the young generation: what is kept by mistake is all of a call, 8 KB. */
const maxSurvivorsPerCall = 4096

describe('MCP endpoint, over time', function () {
  this.timeout(120_000)

  // @guards src/proxy/heartbeat.ts:createHeartbeat
  // @guards src/proxy/relay.ts:startRelay
  it('REL-26: holds on to nothing of calls and streams that are over, however they ended', async () => {
    // what is compiled and pooled in the meantime is in the first windows; what is held on to is in each
    expect(await leastHeldPerCall({ windows: 10, wordsHeld: 0 })).to.be.lessThan(maxBytesPerCall)
  })

  it('REL-26: negative control: a few words that somebody holds on to show', async () => {
    expect(await leastHeldPerCall({ windows: 3, wordsHeld: 200 })).to.be.greaterThan(maxBytesPerCall)
  })

  it('lets next to nothing of calls outlive the young generation, which would cost each a tenth of its time', async () => {
    expect(await survivorsPerCall({ wordsHeld: 0 })).to.be.lessThan(maxSurvivorsPerCall)
  })

  it('negative control: what somebody holds on to for a while outlives it', async () => {
    expect(await survivorsPerCall({ wordsHeld: 400 })).to.be.greaterThan(maxSurvivorsPerCall)
  })
})

async function leastHeldPerCall(options: { windows: number; wordsHeld: number }): Promise<number> {
  return measure(['--expose-gc'], 'least-held-per-call.ts', { ...options, enough: maxBytesPerCall })
}

async function survivorsPerCall(options: { wordsHeld: number }): Promise<number> {
  return measure([], 'survivors-per-call.ts', { ...options, calls: 3000 })
}

/** In a process of its own: in this one, what other tests have left behind may go at any moment. */
async function measure(flags: string[], script: string, job: object): Promise<number> {
  const program = [join(import.meta.dirname, script), JSON.stringify(job)]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--import', 'tsx', ...program])
  return Number(JSON.parse(stdout).bytes)
}
