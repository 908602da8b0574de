import { expect } from 'chai'
import { askForLink, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { startQuirkyOauth } from '../support/upstreams/quirky-oauth.ts'

const connectors = '/api/v1/connectors'

describe('the same request once more', () => {
  let bay: Patchbay
  before(async () => {
    bay = await startPatchbay()
  })
  after(() => bay.close())

  const post = (url: string) => bay.request('POST', connectors, { body: { url } })
  const total = async (url: string): Promise<number> =>
    (await bay.request('GET', `${connectors}?url=${encodeURIComponent(url)}`)).body.total_count

  // @guards src/storage/connector-store.ts:createPrismaConnectorStore
  it('AP-09: creates nothing twice, one after the other or at once', async () => {
    const url = 'https://mcp.example.com/a'
    const first = await post(url)
    expect(first.status).to.equal(201)
    for (const again of [url, 'HTTPS://mcp.EXAMPLE.com:443/a', `${url}/`]) {
      expect((await post(again)).body.code, again).to.equal('connector_exists')
    }
    expect(await total(url)).to.equal(1)

    const other = 'https://mcp.example.com/b'
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(other)))
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, 409, 409, 409, 409, 409])
    expect(await total(other)).to.equal(1)
  })

  // @guards src/storage/connector-store.ts:createPrismaConnectorStore
  it('AP-09: deletes once, and says so', async () => {
    const id = await createConnector(bay, 'https://mcp.example.com/c')
    const remove = () => bay.request('DELETE', `${connectors}/${id}`)
    expect((await Promise.all([remove(), remove()])).map(({ status }) => status).sort()).to.deep.equal([204, 404])
    expect((await remove()).status).to.equal(404)
  })

  // @guards src/connections/mint-ticket.ts:createMintTicket
  it('AP-09: connecting while a person is being waited for gives the link that is there', async () => {
    const upstream = await startQuirkyOauth()
    try {
      const id = await createConnector(bay, upstream.url)
      const link = await askForLink(bay, id)
      expect(await askForLink(bay, id)).to.equal(link)
      expect(new Set(await Promise.all([askForLink(bay, id), askForLink(bay, id)]))).to.deep.equal(new Set([link]))
    } finally {
      await upstream.close()
    }
  })
})
