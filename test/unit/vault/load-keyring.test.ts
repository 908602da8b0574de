import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { readSettings } from '../../../src/config/settings.ts'
import { Secret } from '../../../src/kernel/secret.ts'
import { loadKeyring } from '../../../src/vault/load-keyring.ts'

const bytes = (count: number) => randomBytes(count).toString('base64')

describe('loadKeyring', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyring-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('reads the setting, and touches no file', () => {
    const { activeKid, keys } = loadKeyring(new Secret(`b:${bytes(32)}, a:${bytes(32)}`), folder)
    expect([activeKid, ...keys.keys()]).to.deep.equal(['b', 'b', 'a'])
    expect(readdirSync(folder)).to.deep.equal([])
  })

  it('CR-03: makes a key where none is set, for its owner only, and keeps to it', () => {
    const first = loadKeyring(undefined, join(folder, 'data'))
    const again = loadKeyring(undefined, join(folder, 'data'))
    expect(again.keys.get('local')).to.deep.equal(first.keys.get('local'))
    expect(statSync(join(folder, 'data', 'encryption-keys')).mode & 0o777).to.equal(0o600)
    expect(loadKeyring(undefined, join(folder, 'elsewhere')).keys.get('local')).to.not.deep.equal(
      first.keys.get('local'),
    )
  })

  const wrong: Readonly<Record<string, string>> = {
    'a key that is too short': `a:${bytes(16)}`,
    'a key that is too long': `a:${bytes(33)}`,
    'no key id': bytes(32),
    'an id with other characters': `a b:${bytes(32)}`,
    'an id given twice': `a:${bytes(32)},a:${bytes(32)}`,
    'an empty entry': `a:${bytes(32)},`,
  }
  for (const [title, text] of Object.entries(wrong)) {
    it(`CR-03: refuses ${title}, without showing it`, () => {
      const load = () => loadKeyring(new Secret(text), folder)
      expect(load).to.throw('ENCRYPTION_KEYS')
      expect(load).to.not.throw(text.slice(3, 20))
    })
  }
})

describe('readSettings without ENCRYPTION_KEYS', () => {
  // @guards src/config/settings.ts:acrossSettings
  const refused: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'CR-03: is refused with a database of the operator': { DATABASE_URL: 'postgresql://db.example/patchbay' },
    'CR-03: is refused with a public PUBLIC_URL': { PUBLIC_URL: 'https://patchbay.example' },
    'CR-03: is refused when the setting is there and empty': {
      DATABASE_URL: 'postgresql://db/x',
      ENCRYPTION_KEYS: ' ',
    },
  }
  for (const [title, env] of Object.entries(refused)) {
    it(title, () => expect(() => readSettings(env)).to.throw('ENCRYPTION_KEYS: required'))
  }

  it('is accepted with the embedded database on loopback (control)', () => {
    expect(readSettings({}).ENCRYPTION_KEYS).to.equal(undefined)
  })
})
