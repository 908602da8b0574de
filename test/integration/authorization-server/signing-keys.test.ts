import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { decodeProtectedHeader } from 'jose'
import { Secret } from '../../../src/kernel/secret.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { createPrismaKeyStore } from '../../../src/storage/key-stores.ts'
import { type Database, openDatabase } from '../../../src/storage/prisma-client.ts'
import { readKeyring } from '../../../src/vault/key-check.ts'
import { replaceSigningKeys, rotateSigningKey } from '../../../src/vault/rotate-signing-key.ts'
import type { KeyStore } from '../../../src/vault/signing-keys.ts'
import { createVault } from '../../../src/vault/vault.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { createRawHost, type RawHost } from '../../support/raw-host.ts'
import { runCli } from '../../support/run-cli.ts'
import { createTestClock, type TestClock } from '../../support/test-clock.ts'
import { until } from '../../support/until.ts'

const minute = 60_000
const day = 1440 * minute
const kidOf = (token: string) => decodeProtectedHeader(token).kid

/** Two processes' worth of Patchbay over one database, with a clock in common. */
describe('the keys that sign our access tokens', function () {
  this.timeout(60_000)
  let clock: TestClock
  let here: Patchbay
  let there: Patchbay
  let host: RawHost
  let hostThere: RawHost
  let clientId: string
  let database: Database
  let store: KeyStore

  beforeEach(async () => {
    clock = createTestClock()
    here = await startPatchbay({ clock, env: { ACCESS_TOKEN_TTL: '86400' } })
    there = await startPatchbay({ clock, sharing: here, env: { ACCESS_TOKEN_TTL: '86400', PUBLIC_URL: here.url } })
    const connector = await createConnector(here, 'https://mcp.example.com/mcp', { credential_scope: 'tenant' })
    host = createRawHost(here, connector)
    hostThere = createRawHost(here, connector, there.url)
    clientId = (await host.register()).body.client_id
    database = openDatabase({ url: new Secret(here.databaseUrl), poolSize: 2 })
    store = createPrismaKeyStore(database, 'tokens')
  })
  afterEach(async () => {
    await database.$disconnect()
    await there.close()
    await here.close()
  })

  const deps = () => ({
    store,
    vault: createVault(readKeyring(here.settings.ENCRYPTION_KEYS, '')),
    clock,
    purpose: 'tokens' as const,
  })
  const published = async (at: RawHost): Promise<string[]> => {
    const { keys } = (await at.get('/.well-known/jwks.json')).body
    return keys.map(({ kid }: { kid: string }) => kid)
  }
  const bothPublish = (kids: readonly (string | undefined)[]) =>
    until(
      `${kids.length} published keys`,
      async () => String(await published(host)) === String(kids) && String(await published(hostThere)) === String(kids),
      2000,
    )
  const family = async () => (await host.redeem(clientId, await host.authorize(clientId))).body

  // @guards src/vault/signing-keys.ts:phasesAt
  it('TK-10: change over in all processes at once, the next one published before, the former one after', async () => {
    const first = await family()
    const k1 = kidOf(first.access_token)
    const { key: next } = await rotateSigningKey(deps())
    await bothPublish([k1, next.kid])
    expect(next.kid).to.not.equal(k1)

    // published, and not signing yet
    clock.advance(9 * minute)
    const { body: second } = await hostThere.refresh(clientId, first.refresh_token)
    expect(kidOf(second.access_token)).to.equal(k1)

    clock.advance(2 * minute)
    const { body: third } = await host.refresh(clientId, second.refresh_token)
    const { body: fourth } = await hostThere.refresh(clientId, third.refresh_token)
    expect([third, fourth].map(({ access_token }) => kidOf(access_token))).to.deep.equal([next.kid, next.kid])
    expect(await published(host)).to.deep.equal([k1, next.kid])

    // each is good at each, for as long as it lives
    clock.advance(day - 3 * minute)
    for (const at of [host, hostThere])
      for (const { access_token } of [second, third, fourth]) expect(await at.call(access_token)).to.equal(200)
    clock.advance(day)
    await bothPublish([next.kid])
    await host.refused(second.access_token)
  })

  it('TK-10: fail no call and no refresh while they change over', async () => {
    let { access_token: token, refresh_token: refresh } = await family()
    const k1 = kidOf(token)
    const outcomes: number[] = []
    let isDone = false
    const caller = async (at: RawHost) => {
      while (!isDone) outcomes.push(await at.call(token))
    }
    const refresher = async () => {
      // a new key is not made in no time: until some time after it signs
      for (let turn = 0, left = 8; left > 0 && turn < 500; turn += 1) {
        if (kidOf(token) !== k1) left -= 1
        const at = turn % 2 === 0 ? host : hostThere
        const { status, body } = await at.refresh(clientId, refresh)
        outcomes.push(status)
        token = body.access_token
        refresh = body.refresh_token
        clock.advance(2 * minute)
      }
      isDone = true
    }
    const rotating = rotateSigningKey(deps())
    await Promise.all([caller(host), caller(hostThere), refresher(), rotating])
    expect(new Set(outcomes)).to.deep.equal(new Set([200]))
    expect(outcomes.length).to.be.above(16)
    expect(kidOf(token)).to.equal((await rotating).key.kid)
    expect(kidOf(token)).to.not.equal(k1)
  })

  // @guards src/vault/stored-keys.ts:createStoredKeys
  it('TK-10: publish public parts only, and lie sealed in the database', async () => {
    await family()
    await rotateSigningKey(deps())
    const { body } = await host.get('/.well-known/jwks.json')
    for (const key of body.keys) expect(Object.keys(key)).to.have.members(['kty', 'n', 'e', 'kid', 'alg', 'use'])
    const stored = await withConnection(here.databaseUrl, async (client) => {
      const { rows } = await client.query('SELECT sealed_private_key AS sealed FROM signing_keys')
      return rows.map(({ sealed }) => sealed as string)
    })
    expect(stored).to.have.length(2)
    for (const sealed of stored) expect(sealed).to.match(/^v1\.test\./)
  })

  // @guards src/storage/key-stores.ts:createPrismaKeyStore
  it('TK-10: of rotations at once, and of first keys at once, one counts', async () => {
    const firsts = await Promise.all([host, hostThere, host, hostThere].map(published))
    expect(new Set(firsts.flat()).size).to.equal(1)
    const rotations = await Promise.all(Array.from({ length: 4 }, () => rotateSigningKey(deps())))
    expect(rotations.map(({ kind }) => kind).sort()).to.deep.equal(['rotated', 'waiting', 'waiting', 'waiting'])
    expect(new Set(rotations.map(({ key }) => key.kid)).size).to.equal(1)
    expect(await store.list()).to.have.length(2)
  })

  // @guards src/authorization-server/read-access-token.ts:createReadAccessToken
  it('TK-10: one that leaked is good for nothing at once, also where its tokens were good a moment ago', async () => {
    const { access_token: token, refresh_token: refresh } = await family()
    for (const at of [host, hostThere]) expect(await at.call(token)).to.equal(200)
    const { kid } = await replaceSigningKeys(deps())
    await until('the old key to be refused', async () => {
      const statuses = [await host.call(token), await hostThere.call(token)]
      return String(statuses) === '401,401'
    })
    const { status, body } = await hostThere.refresh(clientId, refresh)
    expect([status, kidOf(body.access_token)]).to.deep.equal([200, kid])
    for (const at of [host, hostThere]) expect(await at.call(body.access_token)).to.equal(200)
  })

  it('TK-10: are rotated, replaced and shown by the command line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keys '))
    const { DATABASE_URL = '', ENCRYPTION_KEYS = '' } = here.env
    const run = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await runCli(['signing-keys', ...args], {
        folder,
        env: { DATABASE_URL, ENCRYPTION_KEYS },
      })
      expect(exitCode, stderr).to.equal(0)
      return stdout
    }
    try {
      const [k1] = await published(host)
      const [, next] = /^Key (\S+) is published, and signs from /.exec(await run('rotate')) ?? []
      await bothPublish([k1, next])
      const rows: { purpose: string; kid: string; state: string }[] = JSON.parse(await run('status', '--json'))
      expect(rows.map(({ purpose, kid, state }) => `${purpose} ${kid} ${state}`)).to.deep.equal([
        `tokens ${k1} signing`,
        `tokens ${next} next`,
      ])
      const [, fresh] = /^Key (\S+) signs now/.exec(await run('rotate', '--leaked')) ?? []
      await bothPublish([fresh])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
