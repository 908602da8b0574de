import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect } from 'chai'
import { readJsonBody } from '../../../src/http/json-body.ts'
import { type AppError, isAppError } from '../../../src/kernel/app-error.ts'

const limit = 256 * 1024

describe('readJsonBody', () => {
  let server: Server
  let port: number
  let outcome: Promise<unknown>
  before(async () => {
    server = createServer((request, response) => {
      outcome = readJsonBody(request).catch((error: unknown) => error)
      void outcome.then(() => response.end('done'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  after(async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  })

  const send = async (body: string | Uint8Array | undefined, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
    })
    await response.text()
    return outcome
  }
  const codeOf = async (result: Promise<unknown>): Promise<AppError['code'] | unknown> => {
    const value = await result
    return isAppError(value) ? value.code : value
  }

  for (const [text, value] of [
    ['{"a":[1,"x",null,true]}', { a: [1, 'x', null, true] }],
    ['  {"ü":"😀"} ', { ü: '😀' }],
    ['null', null],
  ] as const) {
    it(`reads ${text}`, async () => expect(await send(text)).to.deep.equal(value))
  }

  for (const type of ['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;']) {
    it(`takes the content type "${type}"`, async () => expect(await send('1', { 'content-type': type })).to.equal(1))
  }

  it('is undefined without a body, whatever the content type', async () => {
    expect(await send(undefined, { 'content-type': 'text/plain' })).to.equal(undefined)
    expect(await send('')).to.equal(undefined)
  })

  it('AP-02: takes a body of just 256 KB, and none that is a byte longer', async () => {
    const text = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2))
    expect(await send(text(limit))).to.have.length(limit - 2)
    expect(await codeOf(send(text(limit + 1)))).to.equal('payload_too_large')
  })

  it('AP-02: takes 20 levels, and none deeper', async () => {
    const nest = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`
    expect(await codeOf(send(nest(20)))).to.be.an('array')
    expect(await codeOf(send(nest(21)))).to.equal('invalid_json')
    expect(await codeOf(send(nest(100_000)))).to.equal('invalid_json')
  })

  for (const [title, body, code] of [
    ['half a surrogate pair in an escape', '"\\udc00"', 'invalid_json'],
    ['half a surrogate pair in a key', '{"\\ud83d":1}', 'invalid_json'],
    ['NUL', '"\\u0000"', 'invalid_json'],
    ['an overlong form of UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'invalid_json'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_json'],
    ['a byte order mark', '\ufeff1', 'invalid_json'],
    ['__proto__ in a list', '[{"__proto__":1}]', 'invalid_json'],
    ['__proto__ in escapes', '{"\\u005f_proto__":1}', 'invalid_json'],
  ] as const) {
    it(`AP-02: refuses ${title}`, async () => expect(await codeOf(send(body))).to.equal(code))
  }

  it('AP-02: takes a whole surrogate pair in escapes', async () => {
    expect(await send('"\\ud83d\\ude00"')).to.equal('😀')
  })

  it('says that a body was cut off', async () => {
    const asked = once(server, 'request')
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":')
    await asked
    socket.destroy()
    expect(await codeOf(outcome)).to.equal('invalid_request')
  })

  it('takes the next request of a connection whose body was too long', async () => {
    const socket = connect(port, '127.0.0.1')
    const pieces = `10000\r\n${'x'.repeat(0x10000)}\r\n`.repeat(8)
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    socket.write(
      `${head}Transfer-Encoding: chunked\r\n\r\n${pieces}0\r\n\r\n${head}Content-Length: 1\r\nConnection: close\r\n\r\n7`,
    )
    const [received] = await Promise.all([once(socket, 'end'), socket.resume()])
    expect(received).to.deep.equal([])
    expect(await outcome).to.equal(7)
  })
})
