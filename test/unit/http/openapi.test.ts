import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { packageRoot } from '../../../src/config/package-root.ts'

/** As `npm run docs` writes it; CI compares it with the code. */
const api = JSON.parse(readFileSync(join(packageRoot(), 'docs', 'openapi.json'), 'utf8'))

describe('the OpenAPI document', () => {
  it('describes each component itself, and refers to nothing that is not there', () => {
    const { schemas } = api.components
    for (const [name, schema] of Object.entries(schemas)) {
      expect(schema, name).to.have.property('type', 'object')
      expect(schema, name).to.not.have.property('$ref')
    }
    const references = [...JSON.stringify(api).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)]
    expect(references).to.not.have.length(0)
    expect(schemas).to.include.all.keys(references.map(([, name]) => name))
  })
})
