import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Secret } from '../../../src/kernel/secret.ts'
import { createLogger } from '../../../src/log/logger.ts'
import { prepareDatabase } from '../../../src/process/prepare-database.ts'
import { requireKeys } from '../../../src/process/require-keys.ts'
import { callTool } from '../../support/call-tool.ts'
import { authorize, createConnector } from '../../support/connecting.ts'
import {
  findPostgresPrograms,
  type InstalledPostgres,
  startInstalledPostgres,
} from '../../support/installed-postgres.ts'
import { startPatchbay } from '../../support/patchbay.ts'
import { runCli } from '../../support/run-cli.ts'
import { createSweep } from '../../support/sweep.ts'
import { startScriptedOAuth } from '../../support/upstreams/scripted-oauth.ts'

const ring = `k1:${randomBytes(32).toString('base64')}`
const strangeRing = `k1:${randomBytes(32).toString('base64')}`

describe('a backup by pg_dump', function () {
  this.timeout(120_000)
  let postgres: InstalledPostgres
  let folder: string

  before(async function () {
    const programs = findPostgresPrograms()
    if (programs === undefined) this.skip()
    ;[postgres, folder] = await Promise.all([
      startInstalledPostgres(programs),
      mkdtemp(join(tmpdir(), 'patchbay-backup-')),
    ])
  })
  after(async () => {
    await postgres?.close()
    if (folder !== undefined) await rm(folder, { recursive: true })
  })

  it('CR-10: is whole with the ring of encryption keys, and of no use without it', async () => {
    const upstream = await startScriptedOAuth({ expiresInSeconds: 300 })
    const url = (name: string) => postgres.urlOf(name)
    const prepare = (name: string) =>
      prepareDatabase(new Secret(url(name)), { MIGRATE: 'auto' }, createLogger('silent'))
    await postgres.createDatabase('lived')
    await prepare('lived')
    // as every process does when it starts
    await requireKeys(new Secret(url('lived')), {
      ENCRYPTION_KEYS: new Secret(ring),
      ENCRYPTION_ALLOW_MISSING: '0',
      DATA_DIR: folder,
    })
    const lived = await startPatchbay({ databaseUrl: url('lived'), env: { ENCRYPTION_KEYS: ring } })
    const id = await createConnector(lived, upstream.url)
    await authorize(lived, id)
    expect((await callTool(lived, id, 'ping')).text).to.equal('pong')
    const sweep = createSweep(url('lived'), ring)
    await sweep.harvest()
    const key = lived.admin
    await lived.close()

    const file = join(folder, 'patchbay.dump')
    postgres.dump('lived', file)
    await postgres.createDatabase('restored')
    postgres.restore(file, 'restored')
    await prepare('restored')

    const restored = await startPatchbay({ databaseUrl: url('restored'), env: { ENCRYPTION_KEYS: ring } })
    try {
      const { body } = await restored.request('GET', `/api/v1/connectors/${id}`, { key })
      expect(body.state).to.equal('connected')
      expect((await callTool({ ...restored, admin: key }, id, 'ping')).text).to.equal('pong')
      const renewed = await restored.request('POST', `/api/v1/connectors/${id}/refresh`, { key })
      expect(renewed.body.state).to.equal('connected')
    } finally {
      await restored.close()
      await upstream.close()
    }

    // who has the dump and other keys: nothing to read, and no process starts on it
    expect(sweep.size).to.be.greaterThan(3)
    const plain = join(folder, 'plain')
    postgres.dump('restored', plain)
    expect(sweep.findIn(readFileSync(plain, 'latin1'))).to.deep.equal([])
    const env = { DATABASE_URL: url('restored'), ENCRYPTION_KEYS: strangeRing }
    const refused = await runCli(['keys', 'status'], { folder, env })
    expect([refused.exitCode, refused.stdout]).to.deep.equal([1, ''])
    expect(refused.stderr).to.include('not those')
    const known = await runCli(['keys', 'status', '--json'], { folder, env: { ...env, ENCRYPTION_KEYS: ring } })
    expect(known.exitCode, 'control').to.equal(0)
    console.log(`      PostgreSQL ${postgres.version}`)
  })
})
