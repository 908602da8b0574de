import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'

/** In the heap, for good, in bytes. The least that could be held on to of a call, its record, is several times that. */
const maxBytesPerCall = 100

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
})

/** Measured in a process of its own: in this one, what other tests have left behind may go at any moment. */
async function leastHeldPerCall(options: { windows: number; wordsHeld: number }): Promise<number> {
  const program = join(import.meta.dirname, 'least-held-per-call.ts')
  const job = JSON.stringify({ ...options, enough: maxBytesPerCall })
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', program, job])
  return Number(JSON.parse(stdout).bytes)
}
