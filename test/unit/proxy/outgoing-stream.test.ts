import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect } from 'chai'
import { OutgoingStream } from '../../../src/proxy/outgoing-stream.ts'

describe('OutgoingStream', () => {
  const start = () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    return new OutgoingStream(response, { status: 200, headers: [], length: null }, true)
  }

  it('REL-21: lets no more than one piece of 64 KB wait for the head, and then says that its reader cannot keep up', () => {
    const stream = start()
    const piece = Buffer.alloc(40 * 1024, 'x')
    expect(stream.pass(piece)).to.equal(true)
    expect(stream.hasBegun).to.equal(false)
    // nobody reads from this response
    expect(stream.pass(piece)).to.equal(false)
    expect(stream.hasBegun).to.equal(true)
    expect(stream.pass(piece)).to.equal(false)
  })
})
