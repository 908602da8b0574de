import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runCli } from '../../support/run-cli.ts'
import { paths, startQuirkyOauth } from '../../support/upstreams/quirky-oauth.ts'

describe('patchbay doctor', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor '))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** In an empty folder, with no database anywhere. */
  const run = (...args: string[]) => runCli(['doctor', ...args], { folder })

  it('prints a report without a database, and leaves nothing behind', async () => {
    const upstream = await startQuirkyOauth()
    const { exitCode, stdout, stderr } = await run(upstream.url)
    await upstream.close()
    expect(stdout).to.include('On connect: auth_required').and.not.include('\u001b')
    expect([exitCode, stderr]).to.deep.equal([0, ''])
    expect(await readdir(folder)).to.deep.equal([])
  })

  it('prints JSON as REST answers, and exits with 1 when connecting would fail', async () => {
    const upstream = await startQuirkyOauth(() => ({ answers: { [paths.oauthMetadata]: null } }))
    const { exitCode, stdout } = await run(upstream.url, '--json')
    await upstream.close()
    expect(JSON.parse(stdout)).to.include({ verdict: 'authorization_server_not_found', preset_id: null })
    expect(exitCode).to.equal(1)
  })

  it('says in a sentence why an address is refused', async () => {
    const { exitCode, stderr } = await run('https://10.0.0.1/mcp')
    expect([exitCode, stderr.trim()]).to.deep.equal([1, 'The URL names a private or reserved address.'])
  })
})
