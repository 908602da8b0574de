import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { packageRoot } from '../../src/config/package-root.ts'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { type ScriptedUpstream, startScriptedUpstream } from '../support/upstreams/scripted-upstream.ts'
import { serveMcp } from '../support/upstreams/serve-mcp.ts'

describe('docs/oauth-by-hand.md', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let upstream: ScriptedUpstream
  let connector: string

  before(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedUpstream(serveMcp)])
    connector = await createConnector(patchbay, upstream.url, { credential_scope: 'tenant' })
    await patchbay.request('POST', `/api/v1/connectors/${connector}/connect`)
  })
  after(async () => {
    await patchbay.close()
    await upstream.close()
  })

  it('goes the whole way, command by command', async () => {
    const text = await readFile(join(packageRoot(), 'docs', 'oauth-by-hand.md'), 'utf8')
    const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block).join('\n')
    const { stdout } = await promisify(execFile)('sh', ['-ec', commands], {
      env: { PATH: process.env.PATH ?? '', PATCHBAY: patchbay.url, KEY: patchbay.admin, CONNECTOR: connector },
      timeout: 50_000,
    })
    expect(stdout.trim().split('\n').slice(-2)).to.deep.equal(['200', '401'])
  })
})
