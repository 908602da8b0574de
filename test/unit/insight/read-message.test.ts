import { expect } from 'chai'
import fc from 'fast-check'
import { readMessage } from '../../../src/insight/read-message.ts'
import { scanMessage } from '../../../src/insight/scan-message.ts'

const noHeaders = { mcpMethod: null, mcpName: null }
const bytes = (message: unknown) => Buffer.from(JSON.stringify(message))
const read = (message: unknown, wantsClient = true) => readMessage('POST', noHeaders, bytes(message), wantsClient)

describe('scanMessage', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 30 })
  const value = fc.jsonValue({ maxDepth: 3 })
  const message = fc.record(
    {
      id: fc.oneof(fc.integer(), text),
      method: fc.oneof(text, fc.constantFrom('tools/call', 'initialize', 'ping')),
      params: fc.oneof(
        value,
        fc.record(
          {
            arguments: value,
            name: text,
            clientInfo: fc.record({ name: text, version: text }),
            _meta: fc.record(
              { a: value, 'io.modelcontextprotocol/clientInfo': fc.record({ name: text }) },
              { requiredKeys: [] },
            ),
          },
          { requiredKeys: [] },
        ),
      ),
      method2: value,
    },
    { requiredKeys: [] },
  )
  /** The members in any order, as clients are free to send them. */
  const shuffled = fc
    .tuple(message, fc.array(fc.nat(100), { minLength: 4, maxLength: 4 }))
    .map(([whole, order]) => Object.fromEntries(Object.entries(whole).sort((_, __) => (order.pop() ?? 0) - 50)))

  it('finds what JSON.parse finds, whatever the order, the spaces and the strings', () => {
    fc.assert(
      fc.property(shuffled, fc.constantFrom(undefined, 2), (whole, space) => {
        const body = Buffer.from(JSON.stringify(whole, null, space))
        if (body.length > 4096) return
        const found = scanMessage(body, true)
        if (found === 'batch') throw new Error('taken for a batch')
        const { method, params } = JSON.parse(body.toString()) as { method?: unknown; params?: Record<string, unknown> }
        expect(found.method).to.equal(typeof method === 'string' ? method : null)
        const isObject = typeof params === 'object' && params !== null && !Array.isArray(params)
        const name = isObject ? params.name : undefined
        // what is asked for is complete, so the rest is not read
        const isComplete = found.clientInfo !== null && found.method !== null && found.method !== 'tools/call'
        if (!isComplete) expect(found.name).to.equal(typeof name === 'string' ? name : null)
        if (isObject && typeof params.clientInfo === 'object') {
          const meta = (params._meta ?? {}) as Record<string, unknown>
          const known = [params.clientInfo, meta['io.modelcontextprotocol/clientInfo']].map((info) =>
            JSON.stringify(info),
          )
          expect(JSON.stringify(JSON.parse(found.clientInfo ?? 'null'))).to.be.oneOf(known)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('takes any bytes at all', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (any) => void scanMessage(Buffer.from(any), true)))
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (any) => void scanMessage(Buffer.from(`{"method":${any}`), true)),
    )
  })
})

describe('readMessage', () => {
  it('reads method and tool from the first kilobytes of a body', () => {
    expect(
      read({ method: 'tools/call', params: { name: 'search', arguments: { q: 'x'.repeat(9000) } } }),
    ).to.deep.equal({
      method: 'tools/call',
      tool: 'search',
      client: null,
    })
    expect(read({ method: 'tools/list' }).method).to.equal('tools/list')
  })

  it('takes nothing inside the arguments of a tool for the message', () => {
    const args = { method: 'initialize', name: 'other', params: { name: 'deeper' } }
    expect(read({ params: { arguments: args, name: 'mine' }, method: 'tools/call' })).to.include({
      method: 'tools/call',
      tool: 'mine',
    })
  })

  it('knows the client of initialize, and of a request of the modern era', () => {
    const clientInfo = { name: 'claude-code', version: '2.1.0', title: 'Claude Code' }
    expect(read({ method: 'initialize', params: { protocolVersion: '2025-11-25', clientInfo } }, false)).to.include({
      method: 'initialize',
      client: 'claude-code 2.1.0',
    })
    const _meta = { 'io.modelcontextprotocol/clientInfo': clientInfo }
    const modern = bytes({ method: 'tools/call', params: { name: 'x', _meta } })
    const headers = { mcpMethod: 'tools/call', mcpName: '=?base64?c8O8Y2hl?=' }
    expect(readMessage('POST', headers, modern, true)).to.deep.equal({
      method: 'tools/call',
      tool: 'süche',
      client: 'claude-code 2.1.0',
    })
  })

  it('believes the headers of the modern era without a look at the body', () => {
    const headers = { mcpMethod: 'tools/call', mcpName: 'said' }
    expect(readMessage('POST', headers, Buffer.from('no JSON'), false)).to.include({ tool: 'said' })
  })

  it('has few words: methods from a list, names of tools only, none longer than 64 characters', () => {
    expect(read({ method: 'made/up' }).method).to.equal('other')
    expect(read({ id: 1, result: {} }).method).to.equal('response')
    expect(readMessage('POST', noHeaders, bytes([{ method: 'ping' }]), false).method).to.equal('batch')
    expect(readMessage('GET', noHeaders, Buffer.alloc(0), false).method).to.equal('stream')
    expect(readMessage('DELETE', noHeaders, Buffer.alloc(0), false).method).to.equal('end_session')
    expect(read({ method: 'prompts/get', params: { name: 'daily' } }).tool).to.equal('')
    expect(read({ method: 'tools/call', params: { name: `a\r\n\u001b[31m\u2028${'b'.repeat(500)}` } }).tool).to.equal(
      `a[31m${'b'.repeat(59)}`,
    )
  })
})
