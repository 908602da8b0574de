import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'chai'
import { createTranslatedSession } from '../../../src/proxy/translated-session.ts'

const megabyte = 1024 * 1024

function begin() {
  const transport: Transport = { start: async () => {}, send: async () => {}, close: async () => {} }
  const ends: number[] = []
  const session = createTranslatedSession(transport, () => void ends.push(1))
  const say = (data: unknown) =>
    transport.onmessage?.({ jsonrpc: '2.0', method: 'notifications/message', params: { data } } as JSONRPCMessage)
  const heard: object[] = []
  const listen = () =>
    session.listen({ isOpen: () => true, send: (message) => void heard.push(message), end: () => {} })
  return { session, say, listen, heard, ends }
}

describe('createTranslatedSession', () => {
  it('keeps what nobody hears for the next stream, in its order', () => {
    const { say, listen, heard } = begin()
    for (const data of [1, 2, 3]) say(data)
    listen()
    expect(heard.map((message) => JSON.stringify(message)).join()).to.match(/"data":1.*"data":2.*"data":3/)
  })

  // @guards src/proxy/translated-session.ts:keep
  it('PX-10: keeps a hundred messages and a megabyte at most, and begins anew once they were heard', () => {
    const { say, listen, heard } = begin()
    for (let count = 0; count < 200; count += 1) say(count)
    listen()
    expect(heard).to.have.length(100)

    const other = begin()
    for (let count = 0; count < 10; count += 1) other.say('x'.repeat(megabyte / 4))
    other.listen()
    expect(other.heard).to.have.length(3)
  })

  // @guards src/proxy/translated-session.ts:onMessage
  it('PX-10: ends on a message that cannot be written again', () => {
    const { session, say, ends } = begin()
    say(JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)))
    expect([session.isOver(), ends.length]).to.deep.equal([true, 1])
  })
})
