import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { createConnector } from '../support/connecting.ts'
import { authorizeHost, createHost, type Host } from '../support/host.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { until } from '../support/until.ts'
import { connectClient } from '../support/upstreams/mcp-clients.ts'

describe('a host that is given one URL', () => {
  let patchbay: Patchbay
  let sandbox: Sandbox
  let id: string

  before(async () => {
    ;[patchbay, sandbox] = await Promise.all([startPatchbay(), startSandbox({ port: 0, tokenTtlSeconds: 300 })])
    id = await createConnector(patchbay, sandbox.url, { credential_scope: 'user' })
  })
  after(async () => {
    await sandbox.close()
    await patchbay.close()
  })

  async function whoami(host: Host): Promise<unknown> {
    const { client, close } = await connectClient('legacy', {
      url: host.url,
      headers: { authorization: `Bearer ${host.given().access_token}` },
    })
    const { structuredContent } = await client.callTool({ name: 'whoami', arguments: {} })
    await close()
    return structuredContent
  }
  const ping = async (host: Host) =>
    (
      await patchbay.request('POST', new URL(host.url).pathname, {
        key: host.given().access_token,
        body: { jsonrpc: '2.0', id: 1, method: 'ping' },
        headers: { accept: 'application/json, text/event-stream' },
      })
    ).status

  it('registers, is allowed after the person connected, calls tools, refreshes, and is done when it revokes', async () => {
    const host = await authorizeHost(createHost(patchbay, id), 'alice')
    expect(host.given()).to.include({ token_type: 'Bearer', expires_in: 3600, scope: 'mcp' })
    expect(await whoami(host)).to.deep.include({ account: 'alice' })
    const first = host.given()
    await host.ask()
    expect(host.given().refresh_token).to.be.a('string').and.not.equal(first.refresh_token)
    expect(await ping(host)).to.not.equal(401)
    const revoked = await fetch(`${patchbay.url}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({
        token: host.given().refresh_token ?? '',
        client_id: host.client()?.client_id ?? '',
      }),
    })
    expect(revoked.status).to.equal(200)
    await until('the revocation to be heard of', async () => (await ping(host)) === 401, 2000)
  })

  it('lets each person act through an account of their own', async () => {
    const alice = await authorizeHost(createHost(patchbay, id), 'alice')
    const bob = await authorizeHost(createHost(patchbay, id, { client_name: 'Another host' }), 'bob')
    expect(await whoami(alice)).to.deep.include({ account: 'alice' })
    expect(await whoami(bob)).to.deep.include({ account: 'bob' })
  })
})
