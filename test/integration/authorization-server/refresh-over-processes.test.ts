import { expect } from 'chai'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost } from '../../support/raw-host.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'

describe('refresh tokens of ours, over two processes of the operating system', function () {
  this.timeout(60_000)
  let here: Patchbay
  let there: ServerProcess

  before(async () => {
    here = await startPatchbay()
    there = await startServerProcess(here, { env: { PUBLIC_URL: here.url } })
  })
  after(async () => {
    await there.kill()
    await here.close()
  })

  // @guards src/storage/authorization-server-stores.ts:createPrismaArtifactStore
  it('RT-06: fifty at once with one token all get the same successor, and the family lives', async () => {
    const connector = await createConnector(here, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    const host = createRawHost(here, connector)
    const clientId = (await host.register()).body.client_id
    const { body: first } = await host.redeem(clientId, await host.authorize(clientId))
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        host.refresh(clientId, first.refresh_token, {}, index % 2 === 0 ? here.url : there.url),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([200]))
    const successors = new Set<string>(answers.map(({ body }) => body.refresh_token))
    expect(successors.size).to.equal(1)
    const [successor = ''] = successors
    expect((await host.refresh(clientId, successor, {}, there.url)).status).to.equal(200)
  })
})
