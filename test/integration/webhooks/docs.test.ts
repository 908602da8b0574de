import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'

const page = readFileSync(join(packageRoot(), 'docs', 'webhooks.md'), 'utf8')
const [, snippet = ''] = /```js\n([\s\S]+?)```/.exec(page) ?? []
// beside the packages that it imports
const file = join(packageRoot(), 'node_modules', `.webhooks-snippet-${process.pid}.mjs`)

describe('docs/webhooks.md', function () {
  this.timeout(60_000)
  let patchbay: Patchbay
  let child: ChildProcess | undefined
  before(async () => {
    patchbay = await startPatchbay()
    await writeFile(file, snippet)
  })
  after(async () => {
    await rm(file, { force: true })
    await patchbay.close()
  })
  afterEach(async () => {
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill()
    await ended
  })

  it('has a receiver that takes our messages once, and nobody else’s', async () => {
    const [port = 0] = await freePorts(1)
    const url = `http://127.0.0.1:${port}/hooks`
    const { body: webhook } = await patchbay.request('POST', '/api/v1/webhooks', { body: { url } })
    let output = ''
    child = spawn(process.execPath, [file], {
      env: { WEBHOOK_SECRET: webhook.secret, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await until('the receiver', () => output.includes('listening'))
    const id = await createConnector(patchbay, 'https://documented.example/')
    const { id: tenantId } = await patchbay.app.access.ensureTenant('default', '')
    const deliver = () => patchbay.app.deliverWebhook({ tenantId, id: webhook.id })
    expect(await deliver()).to.deep.equal({ delivered: 1, failed: 0 })
    const path = `/api/v1/webhooks/${webhook.id}/deliveries`
    const [delivery] = (await patchbay.request('GET', path)).body.items
    await patchbay.request('POST', `${path}/${delivery.id}/replay`)
    expect(await deliver()).to.deep.equal({ delivered: 1, failed: 0 })
    expect(output.split('\n').slice(1, -1)).to.deep.equal([`connector.created ${id}`])

    const forged = await fetch(url, {
      method: 'POST',
      headers: { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': 'v1,a' },
      body: '{}',
    })
    expect(forged.status).to.equal(400)
  })
})
