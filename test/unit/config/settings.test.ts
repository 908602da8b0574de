import { inspect } from 'node:util'
import { expect } from 'chai'
import { readSettings, SettingsError, settingTable } from '../../../src/config/settings.ts'

type Env = Readonly<Record<string, string>>

function problemsOf(env: Env): readonly string[] {
  try {
    readSettings(env)
  } catch (error) {
    if (error instanceof SettingsError) return error.problems
    throw error
  }
  return []
}
const namesOf = (problems: readonly string[]): string[] => problems.map((problem) => problem.split(':')[0] ?? '')

describe('readSettings', () => {
  it('needs nothing: everything has a default, or may be missing', () => {
    const settings = readSettings({})
    expect(settings).to.include({
      PORT: 8333,
      HOST: '127.0.0.1',
      DATA_DIR: '.patchbay',
      CONNECT_CONFIRMATION: 'page',
      MIGRATE: 'auto',
      SANDBOX_PORT: 8334,
      SANDBOX_TOKEN_TTL: 300,
      isLoopback: true,
    })
    expect([settings.DATABASE_URL, settings.REDIS_URL, settings.ADMIN_API_KEY]).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ])
    expect(settings.PUBLIC_URL.href).to.equal('http://localhost:8333/')
    expect(settings.EGRESS_PORTS).to.deep.equal([443, 8443])
  })

  it('makes PUBLIC_URL from PORT', () => {
    expect(readSettings({ PORT: '9000' }).PUBLIC_URL.origin).to.equal('http://localhost:9000')
  })

  it('takes an empty variable, or one of spaces, for unset, and trims the others', () => {
    const settings = readSettings({ PORT: '', DATABASE_URL: '  ', REDIS_URL: '', HOST: ' 0.0.0.0 ' })
    expect(settings).to.include({ PORT: 8333, HOST: '0.0.0.0' })
    expect([settings.DATABASE_URL, settings.REDIS_URL]).to.deep.equal([undefined, undefined])
  })

  it('reads lists', () => {
    const settings = readSettings({
      EGRESS_ALLOW: ' 10.0.0.0/8, db.internal:5432 ,,',
      CORS_ORIGINS: 'https://a.example,https://b.example',
      EGRESS_PORTS: '443',
    })
    expect(settings.EGRESS_ALLOW).to.deep.equal(['10.0.0.0/8', 'db.internal:5432'])
    expect(settings.CORS_ORIGINS).to.deep.equal(['https://a.example', 'https://b.example'])
    expect(settings.EGRESS_PORTS).to.deep.equal([443])
  })

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(readSettings({}))).to.equal(true)
  })

  for (const [origin, isLoopback] of [
    ['http://localhost:8333', true],
    ['http://127.0.0.1', true],
    ['http://127.8.8.8:1', true],
    ['http://[::1]:8333', true],
    ['https://localhost', true],
    ['https://patchbay.example', false],
    ['https://localhost.example', false],
    ['https://127.0.0.1.example', false],
    ['https://10.0.0.1', false],
  ] as const) {
    it(`takes ${origin} for ${isLoopback ? 'loopback' : 'no loopback'}`, () => {
      const settings = readSettings({ PUBLIC_URL: origin, ENCRYPTION_KEYS: 'k:x' })
      expect(settings.isLoopback).to.equal(isLoopback)
    })
  }

  /** One way in which each setting can be wrong. What is wrong holds the canary, so that it would be found in a message. */
  const canary = 'canary7d1f'
  const wrong: Env = {
    PORT: canary,
    PUBLIC_URL: `https://patchbay.example/${canary}`,
    DATABASE_URL: `mysql://user:${canary}@db/x`,
    DATABASE_POOL_SIZE: `${canary}`,
    REDIS_URL: `http://:${canary}@redis`,
    ADMIN_API_KEY: canary,
    EGRESS_PORTS: `443,${canary}`,
    CONNECT_CONFIRMATION: canary,
    CLIENT_METADATA_URL: `http://${canary}.example/`,
    LOG_LEVEL: canary,
    MIGRATE: canary,
    SANDBOX_PORT: canary,
    SANDBOX_TOKEN_TTL: canary,
    SWEEP_INTERVAL: canary,
  }

  it('names everything that is wrong at once, and nothing twice', () => {
    const names = namesOf(problemsOf({ ...wrong, ENCRYPTION_KEYS: 'k:x' }))
    expect(names).to.have.members(Object.keys(wrong))
    expect(new Set(names).size).to.equal(names.length)
  })

  it('says each time what it must be, and never what it is', () => {
    const problems = problemsOf(wrong)
    for (const problem of problems) expect(problem).to.match(/^[A-Z_]+: \S.{10,}$/)
    expect(problems.join('\n')).to.not.include(canary)
    expect(() => readSettings(wrong)).to.throw(SettingsError, /^The settings are not usable:\n {2}- PORT: /)
  })

  for (const name of Object.keys(wrong)) {
    it(`names ${name} alone when only it is wrong`, () => {
      expect(namesOf(problemsOf({ ENCRYPTION_KEYS: 'k:x', [name]: wrong[name] ?? '' }))).to.deep.equal([name])
    })
  }

  for (const [title, env, name] of [
    ['a port out of range', { PORT: '65536' }, 'PORT'],
    ['a negative port', { PORT: '-1' }, 'PORT'],
    ['a port with a fraction', { PORT: '80.5' }, 'PORT'],
    ['http for a host that is not this machine', { PUBLIC_URL: 'http://patchbay.example' }, 'PUBLIC_URL'],
    ['another scheme', { PUBLIC_URL: 'ftp://patchbay.example' }, 'PUBLIC_URL'],
    ['a user name', { PUBLIC_URL: 'https://me@patchbay.example' }, 'PUBLIC_URL'],
    ['a query', { PUBLIC_URL: 'https://patchbay.example/?a' }, 'PUBLIC_URL'],
    ['an operator’s key of 31 characters', { ADMIN_API_KEY: 'x'.repeat(31) }, 'ADMIN_API_KEY'],
    ['a list with something else than ports', { EGRESS_PORTS: '0' }, 'EGRESS_PORTS'],
    ['something else than URLs to be sent back to', { REDIRECT_URL_ALLOW: 'app.example' }, 'REDIRECT_URL_ALLOW'],
    [
      'no confirmation on a public address',
      { CONNECT_CONFIRMATION: 'none', PUBLIC_URL: 'https://a.example' },
      'CONNECT_CONFIRMATION',
    ],
  ] as const) {
    it(`refuses ${title}`, () => {
      expect(namesOf(problemsOf({ ENCRYPTION_KEYS: 'k:x', ...env }))).to.deep.equal([name])
    })
  }

  it('CR-03: needs keys wherever more than this machine may depend on them', () => {
    expect(namesOf(problemsOf({ DATABASE_URL: 'postgresql://db/x' }))).to.deep.equal(['ENCRYPTION_KEYS'])
    expect(namesOf(problemsOf({ PUBLIC_URL: 'https://patchbay.example' }))).to.deep.equal(['ENCRYPTION_KEYS'])
    expect(problemsOf({ PUBLIC_URL: 'http://localhost:1' })).to.deep.equal([])
  })

  it('prints no secret, whatever prints the settings', () => {
    const secrets: Env = {
      DATABASE_URL: `postgresql://user:${canary}@db/x`,
      REDIS_URL: `redis://:${canary}@redis`,
      ADMIN_API_KEY: canary.repeat(4),
      ENCRYPTION_KEYS: `k:${canary}`,
    }
    const settings = readSettings(secrets)
    const printed = [JSON.stringify(settings), inspect(settings, { depth: 9 }), `${settings.DATABASE_URL}`]
    expect(printed.join('\n')).to.not.include(canary)
    expect(settings.DATABASE_URL?.reveal()).to.equal(secrets.DATABASE_URL)
  })
})

describe('settingTable', () => {
  it('says of each setting what it is for, in whole sentences', () => {
    for (const { about } of Object.values(settingTable)) expect(about).to.match(/^([A-Z`]|https ).+\.$/)
  })
})
