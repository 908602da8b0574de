import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Sandbox, startSandbox } from '../../../src/sandbox/sandbox.ts'
import { createConnector, followLink } from '../../support/connecting.ts'
import { type Patchbay, startPatchbay } from '../../support/patchbay.ts'
import { runCli } from '../../support/run-cli.ts'
import { until } from '../../support/until.ts'
import { createBrowser } from '../../support/upstreams/browser.ts'
import { freePorts } from '../../support/upstreams/free-ports.ts'

describe('patchbay, talking to a server', function () {
  this.timeout(120_000)
  let patchbay: Patchbay
  let sandbox: Sandbox
  let folder: string
  before(async () => {
    ;[patchbay, sandbox, folder] = await Promise.all([
      startPatchbay(),
      startSandbox({ port: 0, tokenTtlSeconds: 300 }),
      mkdtemp(join(tmpdir(), 'remote cli ')),
    ])
  })
  after(async () => {
    await sandbox.close()
    await patchbay.close()
    await rm(folder, { recursive: true })
  })

  const run = (args: string[], env: Record<string, string> = {}) =>
    runCli(args, { folder, env: { PATCHBAY_URL: patchbay.url, PATCHBAY_API_KEY: patchbay.admin, ...env } })

  it('registers a server, shows it, refuses it twice with what to do, and deletes it', async () => {
    const url = 'https://mcp.cli.example/mcp'
    const made = await run(['connectors', 'create', url, '--name', 'Bad \u001b[31mname', '--json'])
    expect([made.exitCode, made.stderr]).to.deep.equal([0, ''])
    const { id } = JSON.parse(made.stdout)
    const [listed, shown, again] = await Promise.all([
      run(['connectors', 'list']),
      run(['connectors', 'get', url]),
      run(['connectors', 'create', url]),
    ])
    expect(listed.stdout)
      .to.match(new RegExp(`${id} +created +Bad .*${url}`))
      .and.not.include('\u001b')
    expect(shown.stdout).to.include(`${patchbay.url}/connectors/${id}/mcp`)
    expect(shown.stderr).to.include(`patchbay connect ${id}`)
    expect(again.exitCode).to.equal(1)
    expect(again.stderr).to.include('--label').and.include('connector_exists')

    const asked = await run(['connectors', 'delete', id])
    expect([asked.exitCode, asked.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && /--yes/.test(text),
    )
    expect((await run(['connectors', 'delete', id, '--yes', '--json'])).stdout).to.include('"deleted":true')
    expect((await run(['connectors', 'get', id])).stderr).to.include('patchbay connectors list')
  })

  it('says what to do when nothing answers, when the key is wrong, and when there is none', async () => {
    const [port] = await freePorts(1)
    const [gone, stranger, keyless, clear] = await Promise.all([
      run(['status'], { PATCHBAY_URL: `http://127.0.0.1:${port}` }),
      run(['status', '--json'], { PATCHBAY_API_KEY: 'pbk_wrong' }),
      run(['connectors', 'list'], { PATCHBAY_API_KEY: '' }),
      run(['connectors', 'list'], { PATCHBAY_URL: 'http://patchbay.example' }),
    ])
    expect([gone, stranger, keyless, clear].map(({ exitCode, stdout }) => [exitCode, stdout])).to.deep.equal(
      Array.from({ length: 4 }, () => [1, '']),
    )
    expect(gone.stderr).to.include('ECONNREFUSED').and.include('PATCHBAY_URL')
    expect(stranger.stderr).to.include('unauthenticated').and.include('api-keys create')
    expect(keyless.stderr).to.include('PATCHBAY_API_KEY')
    expect(clear.stderr).to.include('https')
  })

  it('opens the link in the browser, waits for the person, renews, and tells how everything is', async () => {
    const id = await createConnector(patchbay, sandbox.url)
    // what stands for the browser notes what it was asked to open
    const opened = join(folder, 'opened')
    await writeFile(join(folder, 'xdg-open'), `#!/bin/sh\nprintf %s "$1" > '${opened}'\n`)
    await chmod(join(folder, 'xdg-open'), 0o755)
    const waiting = run(['connect', sandbox.url, '--open', '--json'], { PATH: `${folder}:${process.env.PATH}` })
    const link = async () => (await readFile(opened, 'utf8').catch(() => '')) || undefined
    await until('the browser was opened', async () => (await link()) !== undefined, 60_000)
    await followLink((await link()) ?? '', { browser: createBrowser() })
    const done = await waiting
    expect(done.exitCode, done.stderr).to.equal(0)
    expect(JSON.parse(done.stdout)).to.include({ id, state: 'connected' })
    expect(done.stderr).to.include((await link()) ?? 'a link')

    const before = JSON.parse((await run(['connectors', 'get', id, '--json'])).stdout)
    const renewed = await run(['connectors', 'refresh', id, '--json'])
    expect(JSON.parse(renewed.stdout).token_expires_at).not.to.equal(before.token_expires_at)

    expect((await run(['connectors', 'disconnect', id])).stdout).to.match(/state +disconnected/)
    const status = await run(['status'])
    expect(status.stdout).to.match(new RegExp(`${id} .*(request|disconnect)`, 'i'))
    expect(JSON.parse((await run(['status', '--json'])).stdout).connectors).to.include({
      connected: 0,
      disconnected: 1,
    })
  })

  it('ends when the person refuses, and when nobody comes in time', async () => {
    const id = await createConnector(patchbay, sandbox.url, { label: 'refused' })
    const late = await run(['connect', id, '--timeout', '1'])
    expect([late.exitCode, late.stderr]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && /Nobody/.test(text),
    )

    // finding it, then asking again and again whether it is connected
    const asked = () => patchbay.logs.filter((line) => line.includes(`/api/v1/connectors/${id}"`)).length
    const { body } = await patchbay.request('GET', `/api/v1/connectors/${id}`)
    const browser = createBrowser()
    await browser.open(body.auth_request.authorization_endpoint)
    await browser.submit()
    const before = asked()
    const waiting = run(['connect', id, '--no-open'])
    await until('it waits', () => asked() >= before + 2, 60_000)
    await browser.submit({ button: 'Deny' })
    const refused = await waiting
    expect(refused.exitCode).to.equal(1)
    expect(refused.stderr).to.include('authorization_denied')
  })

  // @guards src/cli/audit.ts:addAuditCommands
  it('AU-05: shows the audit log to who may read it, filtered, as a table, as JSON and as lines', async () => {
    const id = await createConnector(patchbay, 'https://mcp.audit.example/mcp')
    await patchbay.request('DELETE', `/api/v1/connectors/${id}`)
    const key = await patchbay.createKey({ subject: 'member' })
    const [table, json, lines, after, none, refused, wrong, all, databaseless] = await Promise.all([
      run(['audit', 'list', '--target', id]),
      run(['audit', 'list', '--target', id, '--action', 'deleteConnector', '--outcome', 'ok', '--json']),
      run(['audit', 'export', '--target', id, '--channel', 'api', '--since', '2026-01-01']),
      run(['audit', 'export', '--target', id, '--limit', '1']),
      run(['audit', 'list', '--target', id, '--until', '2026-01-01']),
      run(['audit', 'list'], { PATCHBAY_API_KEY: key }),
      run(['audit', 'list', '--since', 'yesterday']),
      run(['audit', 'list', '--installation', '--json', '--since', '2026-01-01'], patchbay.env),
      run(['audit', 'list', '--installation']),
    ])
    expect(table.stdout).to.match(
      new RegExp(`service:admin \\(admin\\) +127.0.0.1 +deleteConnector +connector ${id} +ok`),
    )
    expect(JSON.parse(json.stdout).map(({ action }: { action: string }) => action)).to.deep.equal(['deleteConnector'])
    const actions = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).action)
    expect(actions(lines.stdout)).to.deep.equal(['createConnector', 'deleteConnector'])
    expect(actions(after.stdout)).to.deep.equal(['createConnector'])
    expect(none.stdout).to.equal('No entries.\n')
    expect(JSON.parse(all.stdout).map((entry: { target: { id: string } | null }) => entry.target?.id)).to.include(id)
    expect([databaseless.exitCode, databaseless.stderr]).to.deep.equal([
      1,
      'No database found. Start Patchbay first (npm start), or set DATABASE_URL.\n',
    ])
    expect([refused.exitCode, wrong.exitCode]).to.deep.equal([1, 1])
    expect(refused.stderr).to.include('forbidden')
    expect(wrong.stderr).to.include('--since').and.include('date')
  })
})
