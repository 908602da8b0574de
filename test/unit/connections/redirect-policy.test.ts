import { expect } from 'chai'
import { createRedirectPolicy } from '../../../src/connections/redirect-policy.ts'
import { isAppError } from '../../../src/kernel/app-error.ts'

const publicUrl = new URL('https://patchbay.example')
const allow = ['https://ok.example/app', 'https://tools.example:8443', 'https://Case.Example/dir/']
const strict = createRedirectPolicy({ publicUrl, allow, isLoopbackAllowed: false })
const alone = createRedirectPolicy({ publicUrl, allow: [], isLoopbackAllowed: false })
const atHome = createRedirectPolicy({ publicUrl: new URL('http://localhost:8333'), allow: [], isLoopbackAllowed: true })

type Policy = typeof strict

function expectRefused(policy: Policy, raw: string): void {
  try {
    policy(raw)
  } catch (error) {
    if (!isAppError(error, 'redirect_url_not_allowed')) throw error
    expect(error.fields.map(({ path }) => path)).to.deep.equal(['redirect_url'])
    return
  }
  expect.fail(`${JSON.stringify(raw)} passed`)
}

describe('createRedirectPolicy', () => {
  const good: readonly (readonly [title: string, policy: Policy, raw: string])[] = [
    ['our own origin', alone, 'https://patchbay.example/done'],
    ['a listed prefix itself', strict, 'https://ok.example/app'],
    ['what lies below a listed prefix', strict, 'https://ok.example/app/callback'],
    ['a query of its own', strict, 'https://ok.example/app?next=https://evil.example/'],
    ['a listed origin', strict, 'https://tools.example:8443/any/where'],
    ['a prefix that is listed in other letters', strict, 'https://case.example/dir/x'],
    ['the default port', strict, 'https://ok.example:443/app'],
    ['loopback on any port, at home', atHome, 'http://127.0.0.1:3000/callback'],
    ['loopback in IPv6, at home', atHome, 'http://[::1]:3000/'],
    ['localhost, at home', atHome, 'http://localhost:3000/'],
  ]
  for (const [title, policy, raw] of good) {
    it(`takes ${title}, and gives it back as it is`, () => expect(policy(raw)).to.equal(raw))
  }

  // @guards src/connections/redirect-policy.ts:createRedirectPolicy
  const unlisted: readonly (readonly [title: string, policy: Policy, raw: string])[] = [
    ['RD-01: refuses another origin', strict, 'https://evil.example/'],
    ['RD-01: refuses everything but our own origin when nothing is listed', alone, 'https://ok.example/app'],
    ['RD-01: refuses loopback when we are not at home', strict, 'http://localhost:3000/'],
    ['RD-01: refuses our own host over http', alone, 'http://patchbay.example/'],
    ['RD-01: refuses a neighbour of a listed path', strict, 'https://ok.example/application'],
    ['RD-01: refuses the parent of a listed path', strict, 'https://ok.example/'],
    ['RD-01: refuses a way out of a listed path', strict, 'https://ok.example/app/../other'],
    ['RD-01: refuses a way out in percent signs', strict, 'https://ok.example/app/%2e%2e/other'],
    ['RD-01: refuses a way out with encoded slashes', strict, 'https://ok.example/app/..%2fother'],
    ['RD-01: refuses a way out with encoded backslashes', strict, 'https://ok.example/app/..%5Cother'],
    ['RD-01: refuses another case of a listed path', strict, 'https://ok.example/APP'],
  ]
  for (const [title, policy, raw] of unlisted) it(title, () => expectRefused(policy, raw))

  const schemes = [
    'javascript:alert(1)',
    'JaVaScRiPt://ok.example/app',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
    'blob:https://ok.example/app',
    'mailto:a@ok.example',
    'ftp://ok.example/app',
    'cursor://ok.example/app',
    'ws://ok.example/app',
    '',
  ]
  // @guards src/connections/redirect-policy.ts:createRedirectPolicy
  for (const raw of schemes) it(`RD-02: refuses "${raw}"`, () => expectRefused(strict, raw))

  const characters = ['\t', '\n', '\r', '\u0000', ' ', '\u007f', '\u0085', '\\']
  const spots: readonly (readonly [where: string, put: (character: string) => string])[] = [
    ['in front', (character) => `${character}https://ok.example/app`],
    ['in the scheme', (character) => `ht${character}tps://ok.example/app`],
    ['in the host', (character) => `https://ok.exa${character}mple/app`],
    ['in the path', (character) => `https://ok.example/app/a${character}b`],
    ['in the query', (character) => `https://ok.example/app?a=${character}`],
    ['at the end', (character) => `https://ok.example/app${character}`],
  ]
  // @guards src/connections/redirect-policy.ts:forbiddenCharacters
  for (const character of characters) {
    for (const [where, put] of spots) {
      it(`RD-02: refuses ${JSON.stringify(character)} ${where}`, () => expectRefused(strict, put(character)))
    }
  }

  const tricks: readonly (readonly [title: string, raw: string])[] = [
    ['a listed host as a user name', 'https://ok.example@evil.example/app'],
    ['a listed host as a user name behind a backslash', 'https://ok.example\\@evil.example/app'],
    ['a user name at a listed host', 'https://me@ok.example/app'],
    ['a password at a listed host', 'https://me:secret@ok.example/app'],
    ['an empty user name', 'https://@ok.example/app'],
    ['no scheme', '//ok.example/app'],
    ['three slashes', '///ok.example/app'],
    ['three slashes after the scheme', 'https:///ok.example/app'],
    ['no slashes after the scheme', 'https:ok.example/app'],
    ['encoded slashes', '%2f%2fok.example/app'],
    ['a path alone', '/app'],
    ['a listed host as the beginning of another', 'https://ok.example.evil.example/app'],
    ['a listed host as the end of another', 'https://notok.example/app'],
    ['a root dot', 'https://ok.example./app'],
    ['a look-alike in another script', 'https://\u043ek.example/app'],
    ['its punycode', 'https://xn--k-jtb.example/app'],
    ['another port', 'https://ok.example:8443/app'],
    ['a port that is none', 'https://ok.example:99999/app'],
    ['another scheme at a listed host', 'http://ok.example/app'],
    ['a fragment', 'https://ok.example/app#x'],
    ['an empty fragment', 'https://ok.example/app#'],
    ['more than 2 KB', `https://ok.example/app?${'x'.repeat(2048)}`],
  ]
  // @guards src/connections/redirect-policy.ts:createRedirectPolicy
  for (const [title, raw] of tricks) it(`RD-03: refuses ${title}`, () => expectRefused(strict, raw))

  for (const raw of [
    'http://127.0.0.1.evil.example/',
    'http://localhost.evil.example/',
    'http://localhost@evil.example/',
    'http://[::2]/',
    'http://128.0.0.1/',
  ]) {
    it(`RD-03: takes ${raw} for no loopback`, () => expectRefused(atHome, raw))
  }
})
