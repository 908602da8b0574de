import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root, runNode, say } from './run.mjs'

const stampFile = join(root, 'src', 'storage', 'generated', '.schema-hash')

/** What the generated client depends on: the schema, and the version of its generator. */
export async function schemaHash() {
  const schema = await readFile(join(root, 'prisma', 'schema.prisma'))
  const generator = await readFile(join(root, 'node_modules', 'prisma', 'package.json'))
  return createHash('sha256').update(schema).update(generator).digest('hex')
}

/** `prisma generate` when the schema has changed. */
export async function generateClient() {
  const hash = await schemaHash()
  if ((await readFile(stampFile, 'utf8').catch(() => '')) === hash) return
  say('generating the database client ...')
  await rm(stampFile, { force: true })
  const prisma = join(root, 'node_modules', 'prisma', 'build', 'index.js')
  await runNode('prisma generate', [prisma, 'generate'], {
    quiet: true,
    env: { CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
  })
  await writeFile(stampFile, hash)
}
