import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { lintPresets, loadPresets } from '../../../src/presets/load-presets.ts'
import { PresetsError } from '../../../src/presets/presets-error.ts'

const file = (id: string, url: string, extra = '') => `id: ${id}
url: ${url}
metadata:
  name: ${id}
  description: What ${id} is for.
auth:
  type: oauth2
scopes: [read]
${extra}source:
  document: https://example.com/docs
  date: 2026-01-31
verified: metadata
`

describe('loadPresets, in layers', () => {
  let root: string
  let directory: string
  let extraDirectory: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'layers-'))
    directory = join(root, 'built-in')
    extraDirectory = join(root, 'extra')
    for (const folder of [directory, extraDirectory]) mkdirSync(folder)
    writeFileSync(join(directory, 'acme.yaml'), file('acme', 'https://mcp.acme.example/mcp'))
    writeFileSync(join(directory, 'other.yaml'), file('other', 'https://mcp.other.example'))
  })
  afterEach(() => {
    rmSync(root, { recursive: true })
  })

  const readSecret = (name: string) => (name === 'ACME_SECRET' ? 'sk_1' : undefined)
  const load = (more: { json?: string; mode?: 'replace' | 'extend'; extraDirectory?: string }) =>
    loadPresets({ directory, readSecret, ...more })
  const idsOf = (more: Parameters<typeof load>[0]) => load(more).map(({ id }) => id)

  it('lets CONNECTOR__PRESETS replace what comes with the program, or extend it', () => {
    const json = '[{"id":"mine","url":"https://mine.example"}]'
    expect(idsOf({ json })).to.deep.equal(['mine'])
    expect(idsOf({ json, mode: 'replace' })).to.deep.equal(['mine'])
    expect(idsOf({ json, mode: 'extend' })).to.deep.equal(['acme', 'other', 'mine'])
  })

  it('adds PRESETS_DIR, whether or not the array replaces what comes with the program', () => {
    writeFileSync(join(extraDirectory, 'inner.yaml'), file('inner', 'https://inner.example'))
    expect(idsOf({ extraDirectory })).to.deep.equal(['acme', 'other', 'inner'])
    expect(idsOf({ extraDirectory, json: '[]' })).to.deep.equal(['inner'])
  })

  it('lets an entry take the place of one with its URL, of which it keeps what it leaves out', () => {
    const entry = { url: 'https://MCP.acme.example/mcp/', client_id: 'c1', client_secret_env: 'ACME_SECRET' }
    const presets = load({ json: JSON.stringify([entry]), mode: 'extend' })
    expect(presets.map(({ id }) => id)).to.deep.equal(['other', 'acme'])
    const acme = presets.find(({ id }) => id === 'acme')
    expect(acme).to.deep.include({
      metadata: { name: 'acme', description: 'What acme is for.' },
      auth: { type: 'oauth2' },
      scopes: ['read'],
      clientId: 'c1',
      verified: 'metadata',
    })
    expect(acme?.clientSecret?.reveal()).to.equal('sk_1')
  })

  it('lets an entry take the place of one with its id, of which it keeps nothing', () => {
    writeFileSync(join(extraDirectory, 'acme.yaml'), file('acme', 'https://acme.corp.example'))
    const presets = load({
      extraDirectory,
      json: '[{"id":"other","url":"https://other.corp.example"}]',
      mode: 'extend',
    })
    expect(presets.map(({ url }) => url.href)).to.deep.equal([
      'https://acme.corp.example/',
      'https://other.corp.example/',
    ])
    expect(presets[1]?.metadata).to.deep.equal({})
  })

  it('never gives the secret of a lower layer to another client', () => {
    writeFileSync(
      join(extraDirectory, 'acme.yaml'),
      file('acme', 'https://mcp.acme.example/mcp', 'client_id: c1\nclient_secret_env: ACME_SECRET\n'),
    )
    const withJson = (entry: object) =>
      load({ extraDirectory, json: JSON.stringify([{ url: 'https://mcp.acme.example/mcp', ...entry }]) })[0]
    expect(withJson({ client_id: 'c2' })?.clientSecret).to.equal(undefined)
    // the control: an entry that names no client keeps the one below, with its secret
    expect(withJson({ label: undefined })?.clientSecret?.reveal()).to.equal('sk_1')
  })

  it('says which folder is missing', () => {
    expect(() => load({ extraDirectory: join(root, 'gone') })).to.throw(PresetsError, 'gone: there is no such folder')
  })
})

describe('lintPresets', () => {
  it('judges files and folders, and needs no secret', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lint-'))
    const good = file('acme', 'https://mcp.acme.example', 'client_id: c1\nclient_secret_env: NOT_SET\n')
    writeFileSync(join(folder, 'acme.yaml'), good)
    expect(lintPresets([folder])).to.equal(1)
    expect(lintPresets([join(folder, 'acme.yaml')])).to.equal(1)
    writeFileSync(join(folder, 'twin.yaml'), good.replace('id: acme', 'id: twin'))
    expect(() => lintPresets([folder])).to.throw(PresetsError, 'twin.yaml:2: url: another preset has the same one')
    rmSync(folder, { recursive: true })
  })
})
