import { expect } from 'chai'
import { writeRequestHead } from '../../../../src/egress/http1/request-head.ts'

const request = {
  origin: 'https://mcp.example',
  path: '/mcp?a=b',
  method: 'POST',
  headers: ['accept', 'text/event-stream', 'X-Latin', '\u00fc\ttab'],
  body: Buffer.from('{}'),
}

describe('writeRequestHead', () => {
  it('writes what it is given, and what HTTP/1.1 asks for besides', () => {
    expect(writeRequestHead(request, 'mcp.example:8443')).to.equal(
      'POST /mcp?a=b HTTP/1.1\r\nhost: mcp.example:8443\r\nconnection: keep-alive\r\naccept: text/event-stream\r\n' +
        'X-Latin: \u00fc\ttab\r\ncontent-length: 2\r\n\r\n',
    )
    const head = (method: string) => writeRequestHead({ ...request, method, headers: [], body: null }, 'a')
    expect(head('POST')).to.include('content-length: 0')
    expect(head('GET')).not.to.include('content-length')
  })

  const unfit: readonly (readonly [why: string, change: Partial<typeof request>])[] = [
    ['a line end in a value', { headers: ['a', '1\r\nb: 2'] }],
    ['a bare line feed in a value', { headers: ['a', '1\nb: 2'] }],
    ['a bare carriage return in a value', { headers: ['a', '1\rb'] }],
    ['NUL in a value', { headers: ['a', '\0'] }],
    ['a letter beyond Latin-1 in a value', { headers: ['a', '\u010a'] }],
    ['a line end in a name', { headers: ['a: 1\r\nb', '2'] }],
    ['a space in a name', { headers: ['a ', '1'] }],
    ['no name', { headers: ['', '1'] }],
    ['a host of somebody else', { headers: ['Host', 'b'] }],
    ['another length', { headers: ['Content-Length', '1'] }],
    ['chunks', { headers: ['Transfer-Encoding', 'chunked'] }],
    ['an upgrade', { headers: ['Upgrade', 'h2c'] }],
    ['another connection', { headers: ['Connection', 'close'] }],
    ['a wish to be asked first', { headers: ['Expect', '100-continue'] }],
    ['a space in the path', { path: '/a b' }],
    ['a line end in the path', { path: '/\r\nHost: b' }],
    ['an absolute path', { path: 'http://b/' }],
    ['a line end in the method', { method: 'GET / HTTP/1.1\r\n' }],
    ['no method', { method: '' }],
  ]
  for (const [why, change] of unfit) {
    // @guards src/egress/http1/request-head.ts:writeRequestHead
    it(`PX-01: refuses ${why}`, () => {
      expect(() => writeRequestHead({ ...request, ...change }, 'a'))
        .to.throw()
        .with.property('code', 'internal')
    })
  }
})
