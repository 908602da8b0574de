import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect } from 'chai'
import { loadPresets } from '../../../src/presets/load-presets.ts'
import { PresetsError } from '../../../src/presets/presets-error.ts'

const canary = 'sk_live_CANARY7f3a91'
const noSecrets = () => undefined
const complete = `id: acme
url: https://mcp.acme.example/v1/
metadata:
  name: Acme
  description: Anvils.
  documentation: https://acme.example/docs
  category: tools
client_id: patchbay
client_secret_env: ACME_SECRET
issuer: https://login.acme.example/
scopes: [read, "files:write"]
quirks:
  omit_resource: true
  authorize_parameters:
    prompt: consent
source:
  document: https://acme.example/docs/mcp
  date: 2026-01-31
verified: metadata
`

describe('loadPresets', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'presets-'))
  })
  afterEach(() => {
    rmSync(directory, { recursive: true })
  })

  const write = (name: string, text: string) => writeFileSync(join(directory, name), text)
  const load = (readSecret: (name: string) => string | undefined = noSecrets) => loadPresets({ directory, readSecret })
  const loadJson = (json: string, readSecret: (name: string) => string | undefined = noSecrets) =>
    loadPresets({ directory, json, readSecret })
  /** The mistakes, as `file:line: reason` with the folder left out; nothing thrown may hold the canary. */
  const mistakesOf = (call: () => unknown): string[] => {
    try {
      call()
    } catch (error) {
      if (!(error instanceof PresetsError)) throw error
      expect(inspect(error, { depth: 9 })).not.to.include('CANARY')
      return error.mistakes.map(({ file, line, reason }) => `${file.replace(`${directory}/`, '')}:${line}: ${reason}`)
    }
    throw new Error('nothing was thrown')
  }

  describe('when it reads files', () => {
    it('gives every field its type', () => {
      write('acme.yaml', complete)
      const [preset] = load((name) => (name === 'ACME_SECRET' ? canary : undefined))
      expect(preset).to.deep.include({
        id: 'acme',
        url: { href: 'https://mcp.acme.example/v1/', key: 'https://mcp.acme.example/v1' },
        clientId: 'patchbay',
        issuer: 'https://login.acme.example/',
        scopes: ['read', 'files:write'],
        quirks: {
          omitResource: true,
          isPkceUnlisted: false,
          issuerAlias: undefined,
          authorizeParameters: { prompt: 'consent' },
        },
        source: { document: 'https://acme.example/docs/mcp', date: '2026-01-31' },
        verified: 'metadata',
      })
      expect(preset?.metadata).to.deep.equal({
        name: 'Acme',
        description: 'Anvils.',
        documentation: 'https://acme.example/docs',
        category: 'tools',
      })
      expect(preset?.clientSecret?.reveal()).to.equal(canary)
      expect(`${inspect(preset, { depth: 9 })}${JSON.stringify(preset)}`).not.to.include('CANARY')
    })

    it('reads *.yaml in the order of their names and nothing else', () => {
      for (const name of ['b', 'a'])
        write(`${name}.yaml`, complete.replace('id: acme', `id: ${name}`).replace('/v1/', `/${name}`))
      for (const name of ['preset.schema.json', 'README.md', '.hidden.yaml']) write(name, ': not a preset :')
      expect(load(() => 'x').map(({ id }) => id)).to.deep.equal(['a', 'b'])
    })

    it('reports all mistakes of all files at once, with their lines', () => {
      write(
        'acme.yaml',
        complete.replace('scopes: [read,', 'scops: [read,').replace('verified: metadata', 'verified: yes'),
      )
      write('broken.yaml', 'id: broken\nurl: "https://x.example\n')
      write('other.yaml', complete.replace('https://mcp.acme.example/v1/', 'ftp://mcp.acme.example'))
      write('short.yml', complete)
      expect(mistakesOf(() => load(() => 'x'))).to.have.members([
        'acme.yaml:19: verified: Invalid option: expected one of "none"|"metadata"|"connected"',
        'acme.yaml:11: scops: there is no such field',
        'broken.yaml:3: not valid YAML (MISSING_CHAR)',
        'other.yaml:2: url: The URL must begin with https:// (or http://) and name a host.',
        'short.yml:undefined: the name must end in .yaml',
      ])
    })

    it('points at the parent of what is missing', () => {
      write('acme.yaml', complete.replace('  name: Acme\n', ''))
      expect(mistakesOf(() => load(() => 'x'))).to.deep.equal([
        'acme.yaml:3: metadata.name: Invalid input: expected string, received undefined',
      ])
    })

    it('refuses a literal secret without repeating it', () => {
      write('acme.yaml', complete.replace('client_secret_env: ACME_SECRET', `client_secret: ${canary}`))
      expect(mistakesOf(load)).to.deep.equal([
        'acme.yaml:9: client_secret: a secret must not stand in a file; name an environment variable in client_secret_env',
      ])
    })

    it('repeats no secret that was put in the wrong place', () => {
      const places = [
        complete.replace('ACME_SECRET', canary),
        complete.replace('client_id: patchbay', `${canary}: client_id`),
        complete.replace('category: tools', `${canary}: [1]`),
        complete.replace('verified: metadata', `verified: ${canary}`),
        complete.replace('2026-01-31', canary),
        complete.replace('url: https://mcp.acme.example/v1/', `url: https://user:${canary}@mcp.acme.example/`),
        complete.replace('issuer: https://login.acme.example/', `issuer: https://login.acme.example/#${canary}`),
        complete.replace('scopes: [', `scopes: ["${canary} ", `),
        complete.replace('prompt: consent', `client_secret: ${canary}`),
        `${complete}\n*${canary}`,
        `${complete}${canary}\n`,
        `${complete}verified: ${canary}\n`,
        `${complete}x: !${canary} y\n`,
        canary,
        `[${canary}]`,
      ]
      for (const text of places) {
        write('acme.yaml', text)
        expect(mistakesOf(load), text).not.to.be.empty
      }
    })

    it('names the environment variable that is not set, or empty', () => {
      write('acme.yaml', complete)
      for (const value of [undefined, '']) {
        expect(mistakesOf(() => load(() => value))).to.deep.equal([
          'acme.yaml:9: the environment variable ACME_SECRET is not set',
        ])
      }
    })

    it('refuses a secret without a client id, a key that stands twice and a foreign file name', () => {
      write('acme.yaml', complete.replace('client_id: patchbay\n', ''))
      expect(mistakesOf(load)).to.deep.equal([
        'acme.yaml:1: client_id: a client secret needs the client_id it belongs to',
      ])
      write('acme.yaml', `${complete}id: acme\n`)
      expect(mistakesOf(load)).to.deep.equal(['acme.yaml:20: a key stands here twice'])
      write('acme.yaml', complete.replace('id: acme', 'id: other'))
      expect(mistakesOf(() => load(() => 'x'))).to.deep.equal([
        'acme.yaml:1: id: must be the name of the file without .yaml',
      ])
    })

    it('refuses two presets for one server', () => {
      write('acme.yaml', complete)
      write(
        'again.yaml',
        complete.replace('id: acme', 'id: again').replace('/v1/', '/v1').replace('mcp.acme', 'MCP.Acme'),
      )
      expect(mistakesOf(() => load(() => 'x'))).to.deep.equal(['again.yaml:2: url: another preset has the same one'])
    })

    it('refuses authorization parameters that the protocol sets itself', () => {
      for (const name of ['redirect_uri', 'state', 'code_challenge', 'resource', 'request_uri']) {
        write('acme.yaml', complete.replace('prompt: consent', `${name}: x`))
        expect(
          mistakesOf(() => load(() => 'x')),
          name,
        ).to.deep.equal(['acme.yaml:14: quirks.authorize_parameters: must not set what the protocol sets'])
      }
    })
  })

  describe('when CONNECTOR__PRESETS is given', () => {
    it('replaces the files', () => {
      write('acme.yaml', complete)
      expect(loadJson('[]')).to.deep.equal([])
      expect(loadJson('[{"url":"https://mcp.box.com","id":"box"}]').map(({ id }) => id)).to.deep.equal(['box'])
    })

    it("reads the original API's entries, nulls and all", () => {
      const [preset] = loadJson(
        JSON.stringify([{ url: 'https://mcp.stripe.com', client_id: 'a', client_secret: canary, metadata: null }]),
      )
      expect(preset).to.deep.include({ clientId: 'a', metadata: {}, issuer: undefined, verified: 'none' })
      expect(preset?.clientSecret?.reveal()).to.equal(canary)
      expect(inspect(preset, { depth: 9 })).not.to.include('CANARY')
    })

    it('derives an id that depends on the server and on nothing else', () => {
      const idOf = (url: string) => loadJson(JSON.stringify([{ url: 'https://first.example' }, { url }]))[1]?.id
      expect(idOf('https://mcp.stripe.com')).to.match(/^mcp-stripe-com-[0-9a-f]{8}$/)
      expect(idOf('HTTPS://MCP.Stripe.com:443/')).to.equal(idOf('https://mcp.stripe.com'))
      expect(idOf('https://mcp.stripe.com/v2')).not.to.equal(idOf('https://mcp.stripe.com'))
      expect(idOf('http://[::1]:8334/mcp')).to.match(/^1-[0-9a-f]{8}$/)
      expect(idOf(`https://${'a'.repeat(47)}.example`)).to.match(/^a{47}-[0-9a-f]{8}$/)
    })

    it('reads a secret from the environment variable that the entry names', () => {
      const json = '[{"url":"https://a.example","client_id":"a","client_secret_env":"A_SECRET"}]'
      expect(loadJson(json, (name) => `${name}!`)[0]?.clientSecret?.reveal()).to.equal('A_SECRET!')
      expect(mistakesOf(() => loadJson(json))).to.deep.equal([
        'CONNECTOR__PRESETS:1: the environment variable A_SECRET is not set',
      ])
    })

    it('reports every mistake with its line and entry, and no secret', () => {
      const json = `[
  {"url": "https://a.example", "client_secret": "${canary}"},
  {"url": "nowhere",
   "metadata": {"name": 1},
   "state": "connected"},
  "${canary}",
  {"url": "https://b.example"},
  {"url": "https://b.example/"}
]`
      expect(mistakesOf(() => loadJson(json))).to.have.members([
        'CONNECTOR__PRESETS:2: 0.client_id: a client secret needs the client_id it belongs to',
        'CONNECTOR__PRESETS:3: 1.url: The URL must begin with https:// (or http://) and name a host.',
        'CONNECTOR__PRESETS:4: 1.metadata.name: Invalid input: expected string, received number',
        'CONNECTOR__PRESETS:5: 1.state: there is no such field',
        'CONNECTOR__PRESETS:6: 2: Invalid input: expected object, received string',
        'CONNECTOR__PRESETS:8: url: another preset has the same one',
      ])
    })

    it('refuses what is not a JSON array, without quoting it', () => {
      expect(mistakesOf(() => loadJson('{}'))).to.deep.equal(['CONNECTOR__PRESETS:1: must be a JSON array'])
      // The control: the parser's own message does quote the text.
      expect(() => JSON.parse(canary)).to.throw('CANARY')
      const broken = [
        `[{"client_secret": "${canary}",\n}`,
        `[{"client_secret": ${canary}}]`,
        canary,
        `- url: ${canary}`,
      ]
      for (const json of broken) {
        expect(
          mistakesOf(() => loadJson(json)),
          json,
        )
          .to.have.lengthOf(1)
          .and.satisfy(([mistake]: string[]) => mistake?.endsWith('not valid JSON'))
      }
      expect(mistakesOf(() => loadJson(`[{"url":"https://a.example",\n"url":"https://b.example"}]`))).to.deep.equal([
        'CONNECTOR__PRESETS:2: a key stands here twice',
      ])
    })

    it('keeps a metadata key called __proto__ from becoming a prototype', () => {
      const [preset] = loadJson('[{"url":"https://a.example","metadata":{"__proto__":"x","name":"A"}}]')
      expect(Object.getPrototypeOf(preset?.metadata)).to.equal(Object.prototype)
      expect(preset?.metadata.name).to.equal('A')
    })
  })
})
