import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { withSealedStore } from '../../../src/composition/with-sealed-store.ts'
import { packageRoot } from '../../../src/config/package-root.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { requireKeys } from '../../../src/process/require-keys.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { readSealedColumns } from '../../../src/storage/sealed-columns.ts'
import { readKeyUsage } from '../../../src/vault/key-usage.ts'
import { parseKeyring } from '../../../src/vault/keyring.ts'
import { rotateKeys } from '../../../src/vault/rotate-keys.ts'
import { createVault } from '../../../src/vault/vault.ts'
import { createConnector } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { runCli } from '../../support/run-cli.ts'

const newKey = (kid: string) => `${kid}:${randomBytes(32).toString('base64')}`
const k1 = newKey('k1')
const k2 = newKey('k2')
const canary = `canary-${randomBytes(12).toString('hex')}`

describe('the keys of a database', () => {
  let bay: Patchbay
  let url: Secret
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keys '))
    bay = await startPatchbay({ env: { ENCRYPTION_KEYS: k1 } })
    url = new Secret(bay.databaseUrl)
    for (const [index, kind] of ['user', 'user', 'agent'].entries()) {
      const key = await bay.createKey({ subject: `s${index}`, kind: kind as 'user' })
      await createConnector(bay, `https://mcp${index}.example/mcp`, {
        key,
        client_id: 'c',
        client_secret: `${canary}-${index}`,
      })
    }
    // signing keys and the like are made at first need
    await fetch(`${bay.url}/.well-known/jwks.json`)
    await requireKeys(url, settings(k1))
  })
  afterEach(async () => {
    await bay.close()
    await rm(folder, { recursive: true })
  })

  const settings = (ring: string, allow: '0' | '1' = '0') => ({
    ENCRYPTION_KEYS: new Secret(ring),
    ENCRYPTION_ALLOW_MISSING: allow,
    DATA_DIR: folder,
  })
  const partsOf = (ring: string) => {
    const keyring = parseKeyring(ring)
    return { keyring, vault: createVault(keyring) }
  }
  const usage = (ring: string) => withSealedStore(url, (store) => readKeyUsage({ store, ...partsOf(ring) }))
  const rotate = (ring: string, batchSize = 2, onProgress: () => void = () => {}) =>
    withSealedStore(url, (store) => rotateKeys({ store, ...partsOf(ring), batchSize, onProgress }))
  const kidsIn = async (ring: string) =>
    new Set((await usage(ring)).flatMap(({ keys }) => keys.map(({ kid, state }) => `${kid} ${state}`)))
  const why = (attempt: Promise<unknown>): Promise<string> =>
    attempt.then(
      () => 'started',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  const everything = (databaseUrl: string): Promise<string> =>
    withConnection(databaseUrl, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
      )
      const parts: string[] = []
      for (const { name } of rows) {
        const table = await client.query<{ text: string }>(`SELECT row_to_json(row)::text AS text FROM ${name} AS row`)
        parts.push(...table.rows.map(({ text }) => text))
      }
      return parts.join('\n')
    })

  // @guards src/storage/sealed-columns.ts:readSealedColumns
  it('CR-02: cover every column of the schema that holds a sealed value', () => {
    const schema = readFileSync(join(packageRoot(), 'prisma', 'schema.prisma'), 'utf8')
    const marked = readSealedColumns(schema).map(({ table, column }) => `${table}.${column}`)
    const sealedFields = [...schema.matchAll(/^\s+sealed\w*\s+String/gm)]
    expect(marked.length).to.equal(sealedFields.length)
    expect(marked).to.include.members([
      'connections.sealed_refresh_token',
      'oauth_artifacts.sealed_payload',
      'key_check.sealed',
    ])
  })

  // @guards src/vault/rotate-keys.ts:reseal
  it('CR-02: rotate online: every secret is sealed anew, opens, and the former key can go', async () => {
    expect(await kidsIn(k1)).to.deep.equal(new Set(['k1 active']))
    const ring = `${k2},${k1}`
    expect(await kidsIn(ring)).to.deep.equal(new Set(['k1 known']))
    const totals = await rotate(ring)
    expect(totals.find(({ column }) => column === 'sealed_client_secret')).to.include({ resealed: 3, unreadable: 0 })
    expect(await kidsIn(k2)).to.deep.equal(new Set(['k2 active']))
    await requireKeys(url, settings(k2))
    // what was sealed anew is still the same secret
    const facts = await withConnection(bay.databaseUrl, (client) =>
      client.query('SELECT id, tenant_id, sealed_client_secret AS sealed FROM connectors ORDER BY id'),
    )
    const opened = facts.rows.map(({ id, tenant_id, sealed }) =>
      partsOf(k2)
        .vault.open(sealed, { table: 'connectors', column: 'sealed_client_secret', rowId: id, tenantId: tenant_id })
        .reveal(),
    )
    expect(opened).to.have.members([0, 1, 2].map((index) => `${canary}-${index}`))
    // a second run has nothing left to do
    expect((await rotate(ring)).every(({ resealed }) => resealed === 0)).to.equal(true)
  })

  // @guards src/vault/key-usage.ts:requireEveryKey
  it('CR-02: refuse to start without a key that is in use, or with another one under its name, and change nothing', async () => {
    const before = await everything(bay.databaseUrl)
    expect(await why(requireKeys(url, settings(k2)))).to.include('not those')
    // half-way: the check value is under the new key, some secrets are not
    const ring = `${k2},${k1}`
    const changed = await withSealedStore(url, async (store) => {
      const only = { ...store, columns: store.columns.filter(({ table }) => table === 'key_check') }
      return rotateKeys({ store: only, ...partsOf(ring), batchSize: 10, onProgress: () => {} })
    })
    expect(changed).to.have.length(1)
    const halfWay = await everything(bay.databaseUrl)
    expect(halfWay).not.to.equal(before)
    const refusal = await why(requireKeys(url, settings(k2)))
    expect(refusal).to.include('connectors.sealed_client_secret: 3 with "k1", which is missing')
    expect(refusal).not.to.include(canary)
    expect(await why(requireKeys(url, settings(`${k2},${newKey('k1')}`)))).to.include('"k1", which is wrong')
    expect(await why(requireKeys(url, settings(ring)))).to.equal('started')
    expect(await why(requireKeys(url, settings(k2, '1')))).to.equal('started')
    expect(await everything(bay.databaseUrl)).to.equal(halfWay)
  })

  // @guards src/vault/rotate-keys.ts:reseal
  it('CR-02: leave what does not open as it is, and go on with the rest', async () => {
    await withConnection(bay.databaseUrl, (client) =>
      client.query(
        `UPDATE connectors SET sealed_client_secret = (SELECT sealed_client_secret FROM connectors ORDER BY id DESC LIMIT 1)
          WHERE id = (SELECT id FROM connectors ORDER BY id LIMIT 1)`,
      ),
    )
    const totals = await rotate(`${k2},${k1}`, 1)
    expect(totals.find(({ column }) => column === 'sealed_client_secret')).to.include({ resealed: 2, unreadable: 1 })
    const left = (await usage(`${k2},${k1}`)).find(({ column }) => column === 'sealed_client_secret')
    expect(left?.keys.map(({ kid, count }) => [kid, count])).to.deep.equal([
      ['k1', 1],
      ['k2', 2],
    ])
  })

  it('CR-02: go on where a rotation was broken off', async () => {
    const ring = `${k2},${k1}`
    let batches = 0
    const broken = rotate(ring, 1, () => {
      batches += 1
      if (batches === 2) throw new Error('pulled the plug')
    })
    expect(await why(broken)).to.equal('pulled the plug')
    expect(await kidsIn(ring)).to.deep.equal(new Set(['k1 known', 'k2 active']))
    await rotate(ring, 1)
    expect(await kidsIn(ring)).to.deep.equal(new Set(['k2 active']))
  })

  // @guards src/storage/sealed-store.ts:createPostgresSealedStore
  it('CR-02: never overwrite what somebody has sealed meanwhile', async () => {
    const ring = `${k2},${k1}`
    const { rows } = await withConnection(bay.databaseUrl, (client) =>
      client.query('SELECT id FROM connectors ORDER BY id LIMIT 1'),
    )
    const id: string = rows[0].id
    await withSealedStore(url, async (store) => {
      const racing = {
        ...store,
        replace: async (...args: Parameters<typeof store.replace>) => {
          // between the reading and the writing of the rotation
          await withConnection(bay.databaseUrl, (client) =>
            client.query("UPDATE connectors SET sealed_client_secret = 'v1.k2.newer' WHERE id = $1", [id]),
          )
          return store.replace(...args)
        },
      }
      await rotateKeys({ store: racing, ...partsOf(ring), batchSize: 10, onProgress: () => {} })
    })
    const kept = await withConnection(bay.databaseUrl, (client) =>
      client.query('SELECT sealed_client_secret AS sealed FROM connectors WHERE id = $1', [id]),
    )
    expect(kept.rows[0].sealed).to.equal('v1.k2.newer')
  })

  // @guards src/vault/vault.ts:createVault
  it('CR-10: make a dump useless without them', async () => {
    const dump = await everything(bay.databaseUrl)
    expect(dump).to.include('mcp0.example')
    for (const form of [
      canary,
      Buffer.from(canary).toString('base64').slice(0, 12),
      Buffer.from(canary).toString('hex'),
    ]) {
      expect(dump.includes(form), form).to.equal(false)
    }
    // whoever restores it with keys of their own gets no process up, and opens nothing
    expect(await why(requireKeys(url, settings(newKey('k1'))))).to.include('not those')
    expect(await kidsIn(newKey('k1'))).to.deep.equal(new Set(['k1 wrong']))
  })

  it('are counted and rotated by "patchbay keys"', async () => {
    const run = (ring: string, ...args: string[]) =>
      runCli(['keys', ...args], { folder, env: { DATABASE_URL: bay.databaseUrl, ENCRYPTION_KEYS: ring } })
    const before = await run(`${k2},${k1}`, 'status')
    expect([before.exitCode, before.stdout]).to.satisfy(
      ([code, text]: [number, string]) => code === 0 && /connectors\.sealed_client_secret +k1 +3 +known/.test(text),
    )
    const rotated = await run(`${k2},${k1}`, 'rotate', '--batch-size', '2')
    expect(rotated.stdout).to.include('connectors.sealed_client_secret: 3 sealed anew')
    const after = await run(k2, 'status', '--json')
    expect([after.exitCode, after.stdout.includes('k1')]).to.deep.equal([0, false])
    for (const { stdout, stderr } of [before, rotated, after]) expect(stdout + stderr).not.to.include(canary)
  })
})
