import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { queueMigration } from '../../../src/queue/migrate-queue.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { migrate, pendingMigrations } from '../../../src/storage/migrate.ts'
import { startPatchbay } from '../../support/patchbay.ts'
import { silentLog } from '../../support/silent-log.ts'
import { createTestDatabase } from '../../support/test-database.ts'

const folder = join(packageRoot(), 'prisma', 'migrations')
const [, ...laterMigrations] = readdirSync(folder)
  .filter((name) => /^\d/.test(name))
  .sort()

/** What would take something away from the version that still runs, or stop its writes. */
const contractions: readonly RegExp[] = [
  /\bDROP\s+(TABLE|COLUMN)\b/i,
  /\bRENAME\b/i,
  /\bALTER\s+COLUMN\s+"?\w+"?\s+(SET\s+DATA\s+)?TYPE\b/i,
  /\bSET\s+NOT\s+NULL\b/i,
  /\bADD\s+COLUMN\b(?=[^,;]*\bNOT\s+NULL\b)(?![^,;]*\bDEFAULT\b)/i,
]
const withoutComments = (sql: string) => sql.replace(/--.*$/gm, '')
const contracts = (sql: string) => contractions.some((rule) => rule.test(withoutComments(sql)))

/** `npm run test:upgrade` runs a former version and this one together; here is what makes that possible. */
describe('two versions on one database', () => {
  it('REL-20: no migration takes away what the version before uses', () => {
    expect(laterMigrations.length).to.be.greaterThan(10)
    const found = laterMigrations.filter((name) => contracts(readFileSync(join(folder, name, 'migration.sql'), 'utf8')))
    expect(found, 'add first, remove a release later').to.deep.equal([])
  })

  it('control: one that does is found', () => {
    const taking = [
      'ALTER TABLE "a" DROP COLUMN "b";',
      'ALTER TABLE "a" RENAME COLUMN "b" TO "c";',
      'ALTER TABLE "a" ALTER COLUMN "b" SET DATA TYPE BIGINT;',
      'ALTER TABLE "a" ALTER COLUMN "b" SET NOT NULL;',
      'ALTER TABLE "a" ADD COLUMN "b" TEXT NOT NULL,\nADD COLUMN "c" TEXT DEFAULT \'\';',
    ]
    const giving = [
      'ALTER TABLE "a" ADD COLUMN "b" TEXT NOT NULL DEFAULT \'\';',
      '-- DROP TABLE a',
      'ALTER TABLE "a" ADD COLUMN "b" TEXT;',
    ]
    expect(taking.filter((sql) => !contracts(sql))).to.deep.equal([])
    expect(giving.filter(contracts)).to.deep.equal([])
  })

  // @guards src/storage/migrate.ts:pendingMigrations
  it('REL-20: works on, and starts, on a database that a newer version has migrated', async () => {
    const database = await createTestDatabase()
    const options = { folder, steps: [queueMigration], log: silentLog }
    await withConnection(database.url, async (client) => {
      await client.query("ALTER TABLE connectors ADD COLUMN of_the_future TEXT NOT NULL DEFAULT 'x'")
      await client.query('CREATE TABLE of_the_future (id UUID PRIMARY KEY)')
      await client.query(
        `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
         VALUES (gen_random_uuid()::text, 'x', '20991231000000_of_the_future', now(), now(), 1)`,
      )
    })
    const patchbay = await startPatchbay({ databaseUrl: database.url })
    try {
      expect(await pendingMigrations(database.url, options)).to.deep.equal([])
      await migrate(database.url, options)
      expect((await patchbay.request('GET', '/readyz')).status).to.equal(200)
      const body = { url: 'https://mcp.example.com/mcp' }
      expect((await patchbay.request('POST', '/api/v1/connectors', { body })).status).to.equal(201)
      expect((await patchbay.request('GET', '/api/v1/connectors')).body.total_count).to.equal(1)
    } finally {
      await patchbay.close()
      await database.drop()
    }
  })
})
