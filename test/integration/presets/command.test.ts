import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runCli } from '../../support/run-cli.ts'

const canary = 'sk_live_CANARY5e0f'
const presets = JSON.stringify([
  { url: 'https://mcp.linear.app/mcp', client_id: 'c1', client_secret: canary },
  { id: 'inner', url: 'https://inner.example/mcp', metadata: { name: 'Inner' } },
])

describe('patchbay presets', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'presets '))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    runCli(['presets', ...args], { folder, env: { CONNECTOR__PRESETS: presets, PRESETS_MODE: 'extend', ...env } })

  it('lists the catalog of the configuration, without a database and without a secret', async () => {
    const { exitCode, stdout, stderr } = await run(['list', '--json'])
    expect([exitCode, stderr]).to.deep.equal([0, ''])
    const listed: { id: string }[] = JSON.parse(stdout)
    expect(listed.map(({ id }) => id)).to.include.members(['stripe', 'linear', 'inner'])
    expect(listed.find(({ id }) => id === 'linear')).to.deep.include({ client_id: 'c1', has_client_secret: true })
    expect(stdout).not.to.include('CANARY')
    expect(await readdir(folder)).to.deep.equal([])
  })

  it('finds the preset of a URL, and exits with 1 when there is none', async () => {
    const found = await run(['match', 'https://MCP.linear.app/mcp/'])
    expect([found.exitCode, found.stdout]).to.satisfy(
      ([code, text]: [number, string]) => code === 0 && /preset +linear/.test(text) && text.includes('with a secret'),
    )
    expect(await run(['match', '--json', 'https://mcp.linear.app/MCP'])).to.include({ exitCode: 1, stdout: 'null\n' })
  })

  it('names file, line and reason of what is wrong', async () => {
    await writeFile(join(folder, 'broken.yaml'), `id: broken\nurl: https://x.example\nclient_secret: ${canary}\n`)
    const { exitCode, stderr } = await run(['lint', 'broken.yaml'])
    expect(exitCode).to.equal(1)
    expect(stderr)
      .to.include('broken.yaml:3: client_secret: a secret must not stand in a file')
      .and.not.include('CANARY')
    expect((await run(['lint'], { PRESETS_DIR: folder })).stderr).to.include('broken.yaml:3')
    expect(await run(['lint'])).to.include({ exitCode: 0 })
  })

  it('stops the start over a mistake in PRESETS_DIR', async () => {
    await writeFile(join(folder, 'broken.yaml'), 'id: broken\nurl: nowhere\n')
    const { exitCode, stderr } = await runCli(['start'], { folder, env: { PRESETS_DIR: folder, DATA_DIR: folder } })
    expect(exitCode).to.equal(1)
    expect(stderr).to.match(/broken\.yaml:2: url: The URL must begin with https:/)
  })
})
