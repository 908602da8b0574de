// `npm run migrations:check`: do the migrations lead to exactly what prisma/schema.prisma says?
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../src/config/package-root.ts'
import { startEmbeddedPostgres } from '../src/storage/embedded-postgres.ts'
import { ensureDatabase } from '../src/storage/ensure-database.ts'

const root = packageRoot()
const silent = { info: () => {}, warn: () => {} }
// Of `prisma migrate diff --exit-code`
const isDifferent = 2

const folder = await mkdtemp(join(tmpdir(), 'patchbay-migrations-'))
const postgres = await startEmbeddedPostgres({ dataDir: folder, durable: false, log: silent })
try {
  await ensureDatabase(postgres.url)
  const args = ['--from-migrations', 'prisma/migrations', '--to-schema', 'prisma/schema.prisma', '--exit-code']
  const prisma = join(root, 'node_modules', 'prisma', 'build', 'index.js')
  const child = spawn(process.execPath, [prisma, 'migrate', 'diff', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: postgres.url, CHECKPOINT_DISABLE: '1' },
  })
  const [code] = await once(child, 'exit')
  if (code === isDifferent) {
    console.error('prisma/schema.prisma and prisma/migrations differ, as above. Write the missing migration:')
    console.error('  npx prisma migrate dev --name <what it does>   (with DATABASE_URL set)')
  }
  process.exitCode = code ?? 1
} finally {
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}
