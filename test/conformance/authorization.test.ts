import { expect } from 'chai'
import { createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { createRawHost } from '../support/raw-host.ts'
import { createBrowser } from '../support/upstreams/browser.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'
import { runAuthorizationSuite } from './run-authorization-suite.ts'

describe("our authorization server, in MCP's conformance suite", () => {
  let patchbay: Patchbay
  before(async () => {
    patchbay = await startPatchbay()
  })
  after(() => patchbay.close())

  it('passes 2 of 2', async function () {
    this.timeout(120_000)
    const [port = 0] = await freePorts(1)
    const connector = await createConnector(patchbay, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    const host = createRawHost(patchbay, connector)
    const { body } = await host.register({ redirect_uris: [`http://127.0.0.1:${port}/callback`] })
    const results = await runAuthorizationSuite({
      url: patchbay.url,
      clientId: body.client_id,
      resource: host.resource,
      port,
      async visit(url) {
        const browser = createBrowser()
        await browser.open(url)
        await browser.submit({ button: 'name', fields: { name: 'alice' } })
        await browser.submit({ button: 'authorize' })
      },
    })
    expect(results.map(({ scenario }) => scenario).sort()).to.deep.equal([
      'authorization-code-grant',
      'authorization-server-metadata-endpoint',
    ])
    for (const { scenario, complaints, passed } of results) {
      expect(complaints, scenario).to.deep.equal([])
      expect(passed, scenario).to.be.above(0)
    }
  })
})
