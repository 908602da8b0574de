import { expect } from 'chai'
import { readRequestHead } from '../../../src/proxy/request-headers.ts'

describe('readRequestHead', () => {
  it('PX-01: passes the allow-list and every mcp-* header, known or not, in order and spelling', () => {
    const passing = [
      ...['Accept', 'application/json, text/event-stream', 'content-type', 'application/json'],
      ...['MCP-Protocol-Version', '2026-07-28', 'Mcp-Method', 'tools/call', 'Mcp-Name', '=?base64?ZWNobw==?='],
      ...['Mcp-Param-Region', 'eu', 'mcp-unheard-of', 'x', 'Last-Event-ID', '42', 'traceparent', '00-a-b-01'],
    ]
    expect(readRequestHead(passing).forwarded).to.deep.equal(passing)
  })

  it('PX-01: drops everything else', () => {
    const dropped = [
      ...[
        'authorization',
        'cookie',
        'proxy-authorization',
        'x-forwarded-for',
        'x-forwarded-host',
        'forwarded',
        'x-real-ip',
      ],
      ...['host', 'origin', 'referer', 'x-api-key', 'te', 'trailer', 'upgrade', 'expect', 'range', 'accept-encoding'],
      ...['content-length', 'transfer-encoding', 'user-agent', 'accept-language', 'x-mcp-thing', 'mcp', 'tracestate'],
    ]
    expect(readRequestHead(dropped.flatMap((name) => [name, 'v'])).forwarded).to.deep.equal([])
  })

  it('PX-01: drops what Connection nominates, which is meant for us alone', () => {
    const head = readRequestHead([
      ...['Connection', 'keep-alive, Mcp-Param-Secret , mcp-session-id'],
      ...['mcp-param-secret', 'x', 'mcp-param-open', 'y', 'mcp-session-id', 'z'],
    ])
    expect(head.forwarded).to.deep.equal(['mcp-param-open', 'y'])
    expect(head.sessionId).to.equal(null)
  })

  it('reads what Patchbay needs: session, version, origin, authorization', () => {
    const head = readRequestHead([
      ...[
        'Mcp-Session-Id',
        's',
        'mcp-protocol-version',
        '2025-11-25',
        'Origin',
        'https://a.example',
        'Authorization',
        'Bearer k',
      ],
    ])
    expect(head).to.include({
      sessionId: 's',
      protocolVersion: '2025-11-25',
      origin: 'https://a.example',
      authorization: 'Bearer k',
      duplicate: null,
    })
    expect(head.forwarded, 'the session id goes up in the upstream’s own form only').to.deep.equal([
      'mcp-protocol-version',
      '2025-11-25',
    ])
  })

  for (const name of ['Content-Type', 'Mcp-Session-Id', 'MCP-Protocol-Version', 'Last-Event-ID', 'Origin']) {
    it(`names ${name} when it stands twice`, () => {
      expect(readRequestHead([name, 'a', name.toLowerCase(), 'b']).duplicate).to.equal(name.toLowerCase())
      expect(readRequestHead([name, 'a']).duplicate).to.equal(null)
    })
  }

  it('lets headers stand twice that may', () => {
    const twice = ['accept', 'application/json', 'accept', 'text/event-stream', 'mcp-param-a', '1', 'mcp-param-a', '2']
    expect(readRequestHead(twice)).to.deep.include({ forwarded: twice, duplicate: null })
  })

  it('keeps its memory of spellings bounded', () => {
    for (let index = 0; index < 5000; index += 1) readRequestHead([`mcp-param-${index}`, 'v'])
    expect(readRequestHead(['mcp-param-9999', 'v', 'x-9999', 'v']).forwarded).to.deep.equal(['mcp-param-9999', 'v'])
  })
})
