import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { until } from '../../support/until.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'
import { type Home, startHome } from '../clients/home.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
/** Not beside this file: there the packages' own tests would be taken for ours. */
const place = join(packageRoot(), 'node_modules', '.cache', 'patchbay-inspector')
const program = join(place, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js')

type Run = { readonly output: () => string; readonly exit: Promise<number | null> }

/** Where it sends the person, as soon as it has said so. */
const opened = (run: Run) => /navigate to: (http\S+)\s/.exec(run.output())?.[1]

describe('the MCP Inspector as a command', function () {
  this.timeout(300_000)
  let home: Home
  let folder: string
  let port = 0

  before(async () => {
    if (!existsSync(program)) await install()
    ;[port = 0] = await freePorts(1)
    home = await startHome()
    folder = await mkdtemp(join(tmpdir(), 'inspector-'))
  })
  after(async () => {
    await home?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** Its packages are apart from ours, see package.json beside this file; the lock says which. */
  async function install(): Promise<void> {
    await mkdir(place, { recursive: true })
    for (const name of ['package.json', 'package-lock.json']) await copyFile(join(here, name), join(place, name))
    const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: place, stdio: 'ignore' })
    const code = await new Promise((resolve) => npm.once('exit', resolve))
    if (code !== 0) throw new Error(`the Inspector could not be installed: npm ci failed in ${place}`)
  }

  /** Calls `whoami`. */
  function start(...options: string[]): Run {
    const command = ['--cli', home.url, '--transport', 'http', '--method', 'tools/call', '--tool-name', 'whoami']
    const callback = ['--callback-url', `http://127.0.0.1:${port}/oauth/callback`]
    const child = spawn(process.execPath, [program, ...command, ...callback, '--format', 'json', ...options], {
      env: {
        PATH: '/nowhere',
        HOME: folder,
        MCP_STORAGE_DIR: folder,
        MCP_INSPECTOR_SECRET_STORE: 'file',
        // without a terminal it asks for authorization only when told so; no browser is to be found
        MCP_AUTO_OPEN_ENABLED: 'true',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    return {
      output: () => output,
      exit: new Promise((resolve) => child.once('exit', resolve)),
    }
  }

  it('goes the whole way: signs in, calls a tool, refreshes, is revoked', async () => {
    const first = start()
    await until('the address to open', () => opened(first) !== undefined, 30_000)
    await fetch(await home.consent(new URL(opened(first) ?? '')))
    expect(await first.exit, first.output()).to.equal(0)
    expect(first.output()).to.include('alice')
    await home.hourLater(async () => {
      const second = start('--stored-auth-only')
      expect(await second.exit, second.output()).to.equal(0)
      expect(second.output()).to.include('alice')
    })

    const file = await readFile(join(folder, 'secrets.json'), 'utf8')
    // a token may begin with `-`
    const token = (name: string) => new RegExp(`${name}[\\\\":\\s]+([\\w.-]+)`).exec(file)?.[1] ?? ''
    const clientId = new URL(opened(first) ?? '').searchParams.get('client_id') ?? ''
    await home.revoke(clientId, token('refresh_token'))
    const isRefused = async () => (await home.challenge(token('access_token'))).status === 401
    await until('the revocation to be heard of', isRefused, 2000)
    const last = start('--stored-auth-only')
    expect(await last.exit, last.output()).to.not.equal(0)
    expect(last.output()).to.include('auth_required')
  })
})
