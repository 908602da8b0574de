import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { runCli } from '../../support/run-cli.ts'

const execute = promisify(execFile)

describe('patchbay completion', function () {
  this.timeout(60_000)
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'completion '))
  })
  after(() => rm(folder, { recursive: true }))

  const script = async (shell: string) => (await runCli(['completion', shell], { folder })).stdout

  /** What bash offers for the last of the words. */
  async function offered(file: string, words: readonly string[]): Promise<string[]> {
    const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _patchbay; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await execute('bash', ['-c', program, 'bash', file, 'patchbay', ...words])
    return stdout.trim().split('\n')
  }

  it('completes commands, their options and the values of those in bash', async () => {
    const file = join(folder, 'patchbay.bash')
    await writeFile(file, await script('bash'))
    expect(await offered(file, ['conne'])).to.deep.equal(['connectors', 'connect'])
    expect(await offered(file, ['connectors', ''])).to.include.members(['list', 'get', 'create', 'delete', 'refresh'])
    expect(await offered(file, ['connectors', 'list', '--st'])).to.deep.equal(['--state'])
    expect(await offered(file, ['connectors', 'list', '--state', 'dis'])).to.deep.equal(['disconnected'])
    expect(await offered(file, ['presets', 'list', '--js'])).to.deep.equal(['--json'])
    expect(await offered(file, ['presets', 'list', '--state', 'dis']), 'control').to.deep.equal([''])
  })

  for (const shell of ['zsh', 'fish']) {
    it(`names every command for ${shell}`, async () => {
      const text = await script(shell)
      for (const word of ['connectors', 'refresh', 'presets', 'repin', 'rotate', 'tenants', 'status']) {
        expect(text).to.include(word)
      }
    })
  }

  it('names the shells it knows', async () => {
    const { exitCode, stderr } = await runCli(['completion', 'csh'], { folder })
    expect([exitCode, stderr]).to.deep.equal([1, 'No "csh" here: bash, zsh or fish.\n'])
  })
})
