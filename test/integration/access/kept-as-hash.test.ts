import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { hashToken, isSameSecret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { askForLink, createConnector, stopAtCallback } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { startQuirkyOauth } from '../../support/upstreams/quirky-oauth.ts'

describe('what opens something', () => {
  let bay: Patchbay
  before(async () => {
    bay = await startPatchbay()
  })
  after(() => bay.close())

  const column = (sql: string): Promise<string[]> =>
    withConnection(bay.databaseUrl, async (client) => (await client.query(sql)).rows.map((row) => row.value))

  // @guards src/kernel/secret.ts:hashToken
  it('CR-08: is kept and looked up as a hash: API keys, links, states and connect tokens', async () => {
    const upstream = await startQuirkyOauth()
    const key = await bay.createKey({ subject: 'alice' })
    const id = await createConnector(bay, upstream.url)
    const link = await askForLink(bay, id)
    const { callback } = await stopAtCallback(bay, link)
    await upstream.close()
    const ticket = new URL(link).pathname.split('/').pop() ?? ''
    const state = callback.searchParams.get('state') ?? ''
    const token = await bay.request('POST', `/api/v1/connectors/${id}/connect-tokens`, { body: { subject: 'bob' } })
    const kept: readonly (readonly [secret: string, sql: string])[] = [
      [key, 'SELECT key_hash AS value FROM api_keys'],
      [ticket, 'SELECT ticket_hash AS value FROM tickets'],
      [state, 'SELECT state_hash AS value FROM flows'],
      [token.body.token ?? token.body.connect_token, 'SELECT token_hash AS value FROM connect_tokens'],
    ]
    for (const [secret, sql] of kept) {
      expect(secret, sql).to.have.length.greaterThan(30)
      const values = await column(sql)
      expect(values, sql).to.include(hashToken(secret)).and.not.include(secret)
    }
  })

  // @guards src/kernel/secret.ts:isSameSecret
  it('CR-08: is compared in a time that depends on neither side, lengths included', () => {
    expect(isSameSecret('abc', 'abc')).to.equal(true)
    for (const other of ['abd', 'ab', '', 'abcabc']) expect(isSameSecret('abc', other), other).to.equal(false)
  })

  it('CR-08: is nowhere compared as plain text', () => {
    const root = packageRoot()
    const files = ['src', 'workers'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !name.includes('generated'))
        .map((name) => join(root, folder, name)),
    )
    expect(files.length).to.be.greaterThan(300)
    const compared = /\.reveal\(\)\s*[!=]==|[!=]==\s*[\w.]+\.reveal\(\)/
    const found = files.filter((file) => compared.test(readFileSync(file, 'utf8')))
    // the value there is the same for everybody
    expect(found.map((file) => file.slice(root.length + 1))).to.deep.equal(['src/vault/key-check.ts'])
  })
})
