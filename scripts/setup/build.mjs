import { createHash } from 'node:crypto'
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { schemaHash } from './prisma-client.mjs'
import { root, runNode, say } from './run.mjs'

const target = join(root, 'dist')
const fresh = join(root, 'dist.new')
const former = join(root, 'dist.old')
const stampName = '.source-hash'

/** Compiles src/ and workers/ to dist/ when they have changed. dist/ is replaced as a whole, never half. */
export async function buildProgram() {
  const hash = await sourceHash()
  if ((await readFile(join(target, stampName), 'utf8').catch(() => '')) === hash) return
  say('building ...')
  await rm(fresh, { recursive: true, force: true })
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await runNode('the build', [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh])
  // for `npx patchbay`, which links to it
  await chmod(join(fresh, 'src', 'cli', 'main.js'), 0o755)
  await writeFile(join(fresh, stampName), hash)
  await rm(former, { recursive: true, force: true })
  await rename(target, former).catch((error) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rename(fresh, target)
  await rm(former, { recursive: true, force: true })
}

async function sourceHash() {
  const hash = createHash('sha256').update(await schemaHash())
  for (const name of ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) {
    hash.update(await readFile(join(root, name)))
  }
  for (const folder of ['src', 'workers']) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => [])
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    // The generated client is stood for by the hash of its schema.
    const own = paths.filter((path) => !path.startsWith(join(root, 'src', 'storage', 'generated'))).sort()
    const contents = await Promise.all(own.map((path) => readFile(path)))
    for (const [index, path] of own.entries()) {
      hash.update(path.slice(root.length)).update('\0').update(contents[index])
    }
  }
  return hash.digest('hex')
}
