import { expect } from 'chai'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { authorize, createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { until } from '../../support/until.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

describe('POST /connectors/{id}/connect', () => {
  let patchbay: Patchbay
  /** The same, in a hurry. */
  let hasty: Patchbay
  let upstream: ScriptedOAuth

  before(async () => {
    patchbay = await startPatchbay()
    hasty = await startPatchbay({ sharing: patchbay, timings: { connectMs: 1500 } })
    upstream = await startScriptedOAuth({ expiresInSeconds: 3600 })
  })
  after(async () => {
    await hasty.close()
    await patchbay.close()
    await upstream.close()
  })

  describe('when its parts together take too long', () => {
    it('answers 504 in time, and keeps the token that comes afterwards', async () => {
      const id = await createConnector(patchbay, upstream.url)
      await authorize(patchbay, id)
      upstream.expireAccessTokens()
      const gate = upstream.holdTokens()
      const startedAt = performance.now()
      const answer = await hasty.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
      expect([answer.status, answer.body.code]).to.deep.equal([504, 'upstream_timeout'])
      expect(performance.now() - startedAt).to.be.within(1400, 8000)
      await until('the token request', () => gate.arrivals === 1)
      gate.open()
      await until('the new token to be stored', () =>
        withConnection(patchbay.databaseUrl, async (client) => {
          const { rows } = await client.query('SELECT token_version FROM connections WHERE connector_id = $1', [id])
          return rows[0].token_version === 1
        }),
      )
      const again = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { body: {} })
      expect([again.status, again.body.state]).to.deep.equal([200, 'connected'])
    })
  })
})
