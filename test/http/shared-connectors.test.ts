import { expect } from 'chai'
import { askForLink, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { startQuirkyOauth } from '../support/upstreams/quirky-oauth.ts'

const connectors = '/api/v1/connectors'

describe('a connector that the tenant shares', () => {
  let bay: Patchbay
  let member: string
  let id: string
  let upstream: Awaited<ReturnType<typeof startQuirkyOauth>>
  before(async () => {
    bay = await startPatchbay()
    member = await bay.createKey({ subject: 'alice' })
    upstream = await startQuirkyOauth()
    id = await createConnector(bay, upstream.url, { client_id: 'c', client_secret: 's3cret-of-all' })
    await askForLink(bay, id)
  })
  after(async () => {
    await upstream.close()
    await bay.close()
  })

  // @guards src/connectors/visibility.ts:isManageable
  it('TN-04: is seen by members without client facts, and managed by administrators alone', async () => {
    const shown = await bay.request('GET', `${connectors}/${id}`, { key: member })
    expect(shown.status).to.equal(200)
    expect(shown.body).not.to.have.any.keys('client_id', 'has_client_secret')
    expect(shown.body.auth_request).to.equal(null)
    // the control
    expect((await bay.request('GET', `${connectors}/${id}`)).body).to.include({
      client_id: 'c',
      has_client_secret: true,
    })
    const attempts = [
      ['PATCH', '', { enabled: false }],
      ['DELETE', '', undefined],
      ['POST', '/connect', undefined],
      ['POST', '/disconnect', undefined],
    ] as const
    for (const [method, suffix, body] of attempts) {
      const options = { key: member, ...(body === undefined ? {} : { body }) }
      const { status } = await bay.request(method, `${connectors}/${id}${suffix}`, options)
      expect(status, `${method} ${suffix}`).to.equal(403)
    }
    expect((await bay.request('GET', `${connectors}/${id}`)).body).to.include({ enabled: true, state: 'auth_required' })
  })

  // @guards src/http/api-router.ts:createApiRouter
  it('AP-12: is told of in answers that nobody keeps, and that no browser takes for something else', async () => {
    const { headers } = await bay.request('GET', `${connectors}/${id}`)
    expect(headers.get('cache-control')).to.equal('no-store')
    expect(headers.get('x-content-type-options')).to.equal('nosniff')
  })
})
