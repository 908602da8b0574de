import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'
import { loadPresets } from '../../../src/presets/load-presets.ts'
import { presetFileJsonSchema } from '../../../src/presets/preset-schema.ts'

const directory = join(packageRoot(), 'presets')

describe('the presets that we ship', () => {
  it('are all usable, and need no secret', () => {
    const presets = loadPresets({ directory, readSecret: () => undefined })
    const urls = Object.fromEntries(presets.map(({ id, url }) => [id, url.key]))
    expect(urls).to.include({
      stripe: 'https://mcp.stripe.com',
      box: 'https://mcp.box.com',
      github: 'https://api.githubcopilot.com/mcp',
    })
    for (const { id, url } of presets) expect(url.href, id).to.match(/^https:/)
  })

  it('are 25 and more beside Stripe, Box and GitHub, each with a description, a category and where its facts are from', () => {
    const presets = loadPresets({ directory, readSecret: () => undefined })
    expect(presets.filter(({ id }) => !['stripe', 'box', 'github'].includes(id)).length).to.be.at.least(25)
    for (const { id, metadata, auth, source, clientSecret } of presets) {
      expect(metadata, id).to.include.keys('name', 'description', 'documentation', 'category')
      expect(auth?.type, id).to.be.oneOf(['oauth2', 'token', 'none'])
      expect(source?.document, id).to.match(/^https:/)
      expect(clientSecret, id).to.equal(undefined)
    }
  })

  it('begin with the line by which editors find the schema', () => {
    const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'))
    expect(files).to.have.length.greaterThan(2)
    for (const file of files) {
      const [first] = readFileSync(join(directory, file), 'utf8').split('\n')
      expect(first, file).to.equal('# yaml-language-server: $schema=./preset.schema.json')
    }
  })

  it('are described by presets/preset.schema.json as the reader reads them', () => {
    const written: unknown = JSON.parse(readFileSync(join(directory, 'preset.schema.json'), 'utf8'))
    // When this fails: write what presetFileJsonSchema() returns into the file.
    expect(written).to.deep.equal(presetFileJsonSchema())
  })
})
