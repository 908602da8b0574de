import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'

const execute = promisify(execFile)
const example = /```ts\n(.*?)```/s.exec(readFileSync(join(packageRoot(), 'docs', 'client.md'), 'utf8'))?.[1] ?? ''
const compilerOptions = {
  target: 'ES2023',
  module: 'NodeNext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  types: ['node'],
  typeRoots: [join(packageRoot(), 'node_modules', '@types')],
}

/** A program of somebody else's that has the packed package installed. It has been built: `npm test` does that first. */
describe('patchbay/client, in another program', function () {
  this.timeout(120_000)
  let folder: string
  let patchbay: Patchbay
  before(async () => {
    if (!existsSync(join(packageRoot(), 'dist', 'src', 'client', 'client.d.ts'))) {
      throw new Error('Build first: npm run build')
    }
    ;[folder, patchbay] = await Promise.all([mkdtemp(join(tmpdir(), 'patchbay-client-')), startPatchbay()])
    await install()
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  })
  after(async () => {
    await patchbay.close()
    await rm(folder, { recursive: true })
  })

  /** As from a registry: what `npm pack` packs, and the dependencies. */
  async function install(): Promise<void> {
    const installed = join(folder, 'node_modules', 'patchbay')
    await mkdir(installed, { recursive: true })
    await execute('npm', ['pack', '--pack-destination', folder], { cwd: packageRoot() })
    const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? 'nothing was packed'
    await execute('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1'])
    await symlink(join(packageRoot(), 'node_modules'), join(installed, 'node_modules'))
  }

  const node = (args: readonly string[], env: Record<string, string> = {}) =>
    new Promise<string>((resolve) => {
      const options = { cwd: folder, env: { PATH: process.env.PATH ?? '', ...env } }
      execFile(process.execPath, args, options, (_, stdout, stderr) => resolve(stdout + stderr))
    })

  async function compile(source: string): Promise<string> {
    await writeFile(join(folder, 'example.ts'), source)
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }))
    return node([join(packageRoot(), 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder])
  }

  it('compiles and runs as docs/client.md says', async () => {
    expect(await compile(example)).to.equal('')
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const env = { PATCHBAY_URL: patchbay.url, PATCHBAY_API_KEY: patchbay.admin }
    const lines = (await node(['--import', tsx, 'example.ts'], env)).trim().split('\n')
    expect(lines[0]).to.match(new RegExp(`^created ${patchbay.url}/connectors/[0-9a-f-]{36}/mcp$`))
    expect(lines.slice(1)).to.deep.equal(['true', '404 not_found'])
  })

  it('brings the command, with presets and migrations, and none of the sources', async () => {
    const installed = join(folder, 'node_modules', 'patchbay')
    const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    const listed = JSON.parse(await node([join(installed, bin.patchbay), 'presets', 'list', '--json']))
    expect(listed.length).to.be.greaterThan(25)
    const packed = await readdir(installed)
    expect(packed).to.include.members(['LICENSE', 'README.md', 'dist', 'presets', 'prisma'])
    expect(packed).not.to.have.any.members(['src', 'test', 'bench', 'helm'])
  })

  it('control: does not compile with a field, a path, a value or an answer that there is not', async () => {
    const mistakes: readonly (readonly [right: string, wrong: string])[] = [
      ["body: { url: 'https://", "body: { uri: 'https://"],
      ["POST('/api/v1/connectors'", "POST('/api/v1/connector'"],
      ["state: 'created'", "state: 'creating'"],
      ['connector.mcp_url', 'connector.mcpUrl'],
    ]
    for (const [right, wrong] of mistakes) {
      expect(example).to.include(right)
      expect(await compile(example.replace(right, wrong)), wrong).to.match(/error TS/)
    }
  })
})
