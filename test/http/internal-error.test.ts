import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../src/config/package-root.ts'
import { withConnection } from '../../src/storage/ensure-database.ts'
import { askForLink, createConnector } from '../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../support/patchbay.ts'
import { expectRefusal } from '../support/problem.ts'
import { type ScriptedOAuth, startScriptedOAuth } from '../support/upstreams/scripted-oauth.ts'

const connectors = '/api/v1/connectors'

describe('a mistake of ours', () => {
  let patchbay: Patchbay
  let upstream: ScriptedOAuth
  beforeEach(async () => {
    ;[patchbay, upstream] = await Promise.all([startPatchbay(), startScriptedOAuth()])
  })
  afterEach(async () => {
    await patchbay.close()
    await upstream.close()
  })

  const query = (sql: string) => withConnection(patchbay.databaseUrl, (client) => client.query(sql))

  // @guards src/http/problems.ts:toProblem
  it('AP-10: is a 500 with the request’s id and not a word of the cause, which the log has', async () => {
    await query('ALTER TABLE connectors RENAME COLUMN url_key TO secret_column_name')
    const send = () => patchbay.request('POST', connectors, { body: { url: 'https://a.example' } })
    const answer = await expectRefusal(patchbay, send, { status: 500, code: 'internal' })
    expect(answer.text).to.not.match(/secret_column_name|url_key|column|does not exist/)
    expect(answer.body.detail).to.include('request_id')
    const line = patchbay.logs.map((text) => JSON.parse(text)).find(({ msg }) => msg === 'request failed')
    expect(line.requestId).to.equal(answer.body.request_id)
    expect(line.err.stack).to.be.a('string')
  })

  it('AP-10: is a page in a browser, with the same id and as few words', async () => {
    const link = await askForLink(patchbay, await createConnector(patchbay, upstream.url))
    await query('ALTER TABLE tickets RENAME COLUMN expires_at TO secret_column_name')
    const page = await patchbay.request('GET', new URL(link).pathname, { key: null, headers: { accept: 'text/html' } })
    expect(page.status).to.equal(500)
    expect(page.headers.get('content-type')).to.match(/^text\/html/)
    expect(page.text)
      .to.include(page.headers.get('x-request-id'))
      .and.not.match(/secret_column_name|expires_at|stack/)
  })

  it('AP-10: ends neither the process nor the connection', async () => {
    await query('ALTER TABLE events RENAME TO gone')
    expect((await patchbay.request('POST', connectors, { body: { url: 'https://a.example' } })).status).to.equal(500)
    await query('ALTER TABLE gone RENAME TO events')
    expect((await patchbay.request('POST', connectors, { body: { url: 'https://a.example' } })).status).to.equal(201)
  })

  describe('in what is stored', () => {
    it('CR-01: a link that was altered, or moved from another row, does not open: 500, and no link', async () => {
      const [one, two] = [
        await createConnector(patchbay, upstream.url, { label: 'one' }),
        await createConnector(patchbay, upstream.url, { label: 'two' }),
      ]
      await askForLink(patchbay, one)
      await askForLink(patchbay, two)
      const { rows } = await query('SELECT id, sealed_ticket FROM tickets ORDER BY id')
      const [first, second] = rows
      const put = (sealed: string) => query(`UPDATE tickets SET sealed_ticket = '${sealed}' WHERE id = '${first.id}'`)
      const read = () => patchbay.request('GET', `${connectors}/${one}`)
      expect((await read()).status, 'negative control').to.equal(200)
      const altered = first.sealed_ticket.replace(/.(?=.{5}$)/, (character: string) => (character === 'A' ? 'B' : 'A'))
      for (const sealed of [second.sealed_ticket, altered, first.sealed_ticket.replace('.test.', '.other.')]) {
        await put(sealed)
        const answer = await expectRefusal(patchbay, read, { status: 500, code: 'internal' })
        expect(answer.text).to.not.include('/connect/')
      }
      await put(first.sealed_ticket)
      expect((await read()).status).to.equal(200)
    })
  })
})

describe('how the database is asked', () => {
  it('AP-06: in templates and by methods with types, never with text that was put together', () => {
    const root = join(packageRoot(), 'src')
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.includes('generated'),
    )
    const unsafe = /\$(query|execute)RawUnsafe|Prisma\.raw\b/
    expect(unsafe.test('database.$queryRawUnsafe(text)'), 'negative control').to.equal(true)
    expect(files.length).to.be.greaterThan(100)
    expect(files.filter((name) => unsafe.test(readFileSync(join(root, name), 'utf8')))).to.deep.equal([])
  })
})
