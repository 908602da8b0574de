import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { withConnection } from '../../../src/storage/ensure-database.ts'
import { migrate, pendingMigrations } from '../../../src/storage/migrate.ts'
import { silentLog } from '../../support/silent-log.ts'
import { databaseUrlOn, testServer } from '../../support/test-server.ts'

const root = packageRoot()

/** Prisma's own CLI, on the schema engine of scripts/schema-engine.mjs, with no way to any other. */
describe('the Prisma CLI', function () {
  this.timeout(60_000)
  let folder: string
  let databaseUrl: string
  let migrations: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchbay prisma '))
    migrations = join(folder, 'migrations')
    await cp(join(root, 'prisma'), folder, { recursive: true })
    const config = {
      schema: join(folder, 'schema.prisma'),
      migrations: { path: migrations },
      datasource: { url: 'env' },
    }
    const text = JSON.stringify(config).replace('"env"', 'process.env.DATABASE_URL')
    await writeFile(join(folder, 'prisma.config.mjs'), `export default ${text}\n`)
    databaseUrl = databaseUrlOn((await testServer()).postgres, 'prisma_cli')
  })

  after(async () => {
    await rm(folder, { recursive: true, force: true })
    await withConnection(databaseUrlOn((await testServer()).postgres, 'postgres'), (client) =>
      client.query('DROP DATABASE IF EXISTS prisma_cli WITH (FORCE)'),
    )
  })

  function prisma(args: readonly string[], url = databaseUrl): { status: number | null; output: string } {
    const program = join(root, 'node_modules', 'prisma', 'build', 'index.js')
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [program, ...args, '--config', join(folder, 'prisma.config.mjs')],
      {
        cwd: root,
        encoding: 'utf8',
        env: {
          PATH: process.env.PATH,
          DATABASE_URL: url,
          CHECKPOINT_DISABLE: '1',
          PRISMA_SCHEMA_ENGINE_BINARY: join(root, 'scripts', 'schema-engine.mjs'),
        },
      },
    )
    return { status, output: stdout + stderr }
  }

  it('compares two texts without a database', () => {
    const toSchema = ['--to-schema', join(folder, 'schema.prisma'), '--script']
    const { status, output } = prisma(['migrate', 'diff', '--from-empty', ...toSchema], 'postgresql://x@127.0.0.1:1/x')
    expect(status, output).to.equal(0)
    expect(output).to.contain('CREATE TABLE "connections"')
  })

  it('deploys to a database that does not exist yet, and we find nothing left to do', async () => {
    expect(prisma(['migrate', 'status']).output).to.contain('P1003')
    const { status, output } = prisma(['migrate', 'deploy'])
    expect(status, output).to.equal(0)
    const tables = await withConnection(databaseUrl, (client) =>
      client.query(`SELECT to_regclass('connections') AS it`),
    )
    expect(tables.rows[0].it).to.equal('connections')
    expect(await pendingMigrations(databaseUrl, { folder: migrations, log: silentLog })).to.deep.equal([])
    expect(prisma(['migrate', 'status']).output).to.contain('up to date')
  })

  it('finds no difference between the schema and the migrations, and one when there is one', async () => {
    const args = ['migrate', 'diff', '--from-migrations', migrations, '--exit-code', '--to-schema']
    const same = prisma([...args, join(folder, 'schema.prisma')])
    expect(same.status, same.output).to.equal(0)
    const changed = join(folder, 'changed.prisma')
    const schema = await readFile(join(folder, 'schema.prisma'), 'utf8')
    await writeFile(changed, schema.replace('model Tenant {', 'model Tenant {\n  motto String?'))
    const different = prisma([...args, changed])
    expect(different.status, different.output).to.equal(2)
    expect(different.output).to.contain('motto')
  })

  it('writes and applies a new migration, which we know afterwards', async () => {
    const path = join(folder, 'schema.prisma')
    const schema = await readFile(path, 'utf8')
    await writeFile(path, schema.replace('model Tenant {', 'model Tenant {\n  motto String?'))
    const { status, output } = prisma(['migrate', 'dev', '--name', 'motto'])
    expect(status, output).to.equal(0)
    const made = (await readdir(migrations)).find((name) => name.endsWith('_motto')) ?? ''
    expect(await readFile(join(migrations, made, 'migration.sql'), 'utf8')).to.contain('ADD COLUMN     "motto" TEXT')
    expect(await migrate(databaseUrl, { folder: migrations, log: silentLog })).to.deep.equal([])
  })
})
