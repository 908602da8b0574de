import { expect } from 'chai'
import { planAnswer } from '../../../src/proxy/answer-plan.ts'
import { defaultProxyLimits } from '../../../src/proxy/limits.ts'
import { bodyKindOf, readResponseHead } from '../../../src/proxy/response-headers.ts'

const read = (headers: readonly (readonly [string, string])[]) =>
  readResponseHead(headers.flatMap(([name, value]) => [name.toLowerCase(), value]))

describe('readResponseHead', () => {
  it('PX-03: passes the allow-list and nothing else', () => {
    const head = read([
      ['Allow', 'GET, POST'],
      ['Retry-After', '120'],
      ['MCP-Protocol-Version', '2025-11-25'],
      ...['set-cookie', 'location', 'refresh', 'link', 'server', 'via', 'alt-svc', 'x-frame-options'].map(
        (name) => [name, 'v'] as const,
      ),
      ...['access-control-allow-origin', 'clear-site-data', 'strict-transport-security'].map(
        (name) => [name, 'v'] as const,
      ),
      ...['content-security-policy', 'service-worker-allowed', 'cache-control', 'x-api-key'].map(
        (name) => [name, 'v'] as const,
      ),
    ])
    expect(head.passed).to.deep.equal([
      'allow',
      'GET, POST',
      'retry-after',
      '120',
      'mcp-protocol-version',
      '2025-11-25',
    ])
  })

  it('PX-03: drops a Retry-After or Allow that is neither a number, a date nor a list of methods', () => {
    for (const value of ['soon', '-1', '1; drop', '<script>', '1e9', '']) {
      expect(read([['retry-after', value]]).passed, value).to.deep.equal([])
    }
    expect(read([['retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT']]).passed).to.have.length(2)
    expect(read([['allow', 'GET\x80, <b>']]).passed).to.deep.equal([])
  })

  for (const name of ['content-type', 'mcp-session-id']) {
    it(`PX-08: finds a flaw in two ${name}`, () => {
      expect(
        read([
          [name, '1'],
          [name.toUpperCase(), '1'],
        ]).flaw,
      ).to.equal(name)
    })
  }

  it('PX-08: finds a flaw in a content type with control characters', () => {
    expect(read([['content-type', 'application/json\x0b']]).flaw).to.equal('content-type')
  })

  it('PX-07: notices codings', () => {
    expect(read([['content-encoding', 'gzip']]).isEncoded).to.equal(true)
    expect(read([['content-encoding', 'identity']]).isEncoded).to.equal(false)
  })
})

describe('bodyKindOf', () => {
  it('goes by the type alone, in any case and with any parameters', () => {
    expect(bodyKindOf('Application/JSON; charset=utf-8')).to.equal('json')
    expect(bodyKindOf('text/event-stream;charset=utf-8')).to.equal('events')
    expect(bodyKindOf('text/plain')).to.equal('text')
    for (const type of [
      'text/html',
      'application/json-seq',
      'application/problem+json',
      'json',
      '',
      'text/event-streams',
    ]) {
      expect(bodyKindOf(type), type).to.equal('foreign')
    }
    expect(bodyKindOf(null)).to.equal('none')
  })
})

describe('planAnswer', () => {
  const plan = (status: number, headers: Record<string, string>, method = 'POST') =>
    planAnswer(status, read(Object.entries(headers)), method, defaultProxyLimits)
  const json = { 'content-type': 'application/json' }

  it('PX-09: holds JSON that says to be short, streams JSON that is long or does not say', () => {
    expect(plan(200, { ...json, 'content-length': '65536' }).kind).to.equal('hold')
    expect(plan(200, { ...json, 'content-length': '65537' }).kind).to.equal('stream')
    expect(plan(200, json).kind).to.equal('stream')
  })

  it('PX-04: never shows a 401, nor a 403 that asks for scopes', () => {
    expect(plan(401, json)).to.deep.equal({ kind: 'unauthorized', status: 401, challenge: null })
    const stepUp = { ...json, 'www-authenticate': 'Bearer error="insufficient_scope"' }
    expect(plan(403, stepUp)).to.deep.equal({
      kind: 'unauthorized',
      status: 403,
      challenge: { error: 'insufficient_scope' },
    })
    expect(plan(403, { ...json, 'www-authenticate': 'Bearer' }).kind).to.equal('hold')
  })

  it('PX-05: refuses every redirect', () => {
    for (const status of [300, 301, 302, 303, 304, 307, 308, 399])
      expect(plan(status, json).kind, `${status}`).to.equal('refuse')
  })

  it('PX-06: refuses a foreign kind of body below 300, and drops it from 400 on', () => {
    expect(plan(200, { 'content-type': 'text/html', 'content-length': '5' }).kind).to.equal('refuse')
    expect(plan(200, { 'content-type': 'text/plain', 'content-length': '5' }).kind).to.equal('refuse')
    expect(plan(404, { 'content-type': 'text/html' }).kind).to.equal('discard')
    expect(plan(404, { 'content-type': 'text/plain' }).kind).to.equal('hold')
    expect(plan(500, { ...json, 'content-encoding': 'gzip' }).kind).to.equal('discard')
  })

  it('drops a word where none is expected: 202, and the answer to DELETE', () => {
    expect(plan(202, { 'content-type': 'text/html' }).kind).to.equal('discard')
    expect(plan(200, { 'content-type': 'text/plain', 'content-length': '2' }, 'DELETE').kind).to.equal('discard')
  })

  it('refuses a status that is none', () => {
    expect(plan(600, json).kind).to.equal('refuse')
    expect(plan(999, json).kind).to.equal('refuse')
  })
})
