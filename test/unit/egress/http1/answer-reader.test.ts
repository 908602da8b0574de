import { request } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect } from 'chai'
import fc from 'fast-check'
import type { AnswerHead } from '../../../../src/egress/http1/answer-head.ts'
import { AnswerReader } from '../../../../src/egress/http1/answer-reader.ts'

type Read = {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
  /** Null while more is to come. */
  readonly end: 'clean' | 'with more' | null
  readonly isKept: boolean
}

/** What one reader makes of these pieces; the memory of each is overwritten as soon as it was read. */
function read(pieces: readonly string[], { method = 'POST', isClosed = false } = {}): Read | 'refused' {
  let head: AnswerHead | null = null
  let body = ''
  let end: Read['end'] = null
  const reader = new AnswerReader({
    onHead: (read) => {
      head = read
    },
    onData: (bytes) => {
      body += bytes.toString('latin1')
    },
    onEnd: (isClean) => {
      end = isClean ? 'clean' : 'with more'
    },
  })
  reader.begin(method)
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece, 'latin1')
      // the connection closes then
      if (end !== null) end = 'with more'
      reader.read(bytes)
      bytes.fill('!')
    }
  } catch (error) {
    expect(error).to.have.property('code', 'upstream_protocol_error')
    return 'refused'
  }
  if (isClosed) reader.finish()
  const { status = 0, headers = [], isKept = false } = (head ?? {}) as Partial<AnswerHead>
  return { status, headers, body, end, isKept }
}

const answer = (head: readonly string[], body = ''): string =>
  `${['HTTP/1.1 200 OK', ...head].join('\r\n')}\r\n\r\n${body}`
const bodyOf = (text: string, options = {}): unknown => {
  const result = read([text], options)
  return result === 'refused' ? result : { body: result.body, end: result.end, isKept: result.isKept }
}
const chunked = 'Transfer-Encoding: chunked'

describe('AnswerReader', () => {
  it('reads a body by its length, by its chunks, to the end of the connection, or none', () => {
    const whole = { end: 'clean', isKept: true }
    expect(bodyOf(answer(['Content-Length: 2'], '{}'))).to.deep.equal({ body: '{}', ...whole })
    expect(bodyOf(answer(['Content-Length: 0']))).to.deep.equal({ body: '', ...whole })
    expect(bodyOf(answer([chunked], '2;x=1\r\nab\r\n0A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n'))).to.deep.equal({
      body: 'ab0123456789',
      ...whole,
    })
    expect(bodyOf(answer([], 'all'), { isClosed: true })).to.deep.equal({ body: 'all', end: 'clean', isKept: false })
    expect(bodyOf(answer(['Content-Length: 9']), { method: 'HEAD' })).to.deep.equal({
      body: '',
      end: 'clean',
      isKept: false,
    })
    expect(bodyOf('HTTP/1.1 204 No Content\r\n\r\n')).to.deep.equal({ body: '', ...whole })
    expect(bodyOf('HTTP/1.1 103\r\nLink: <x>\r\n\r\nHTTP/1.1 202\r\nContent-Length: 0\r\n\r\n')).to.deep.equal({
      body: '',
      ...whole,
    })
  })

  it('is not over before it is: bodies that were cut', () => {
    for (const text of [
      answer(['Content-Length: 3'], '{}'),
      answer([chunked], '2\r\nab\r\n'),
      answer([chunked], '2\r\nab\r\n0\r\n'),
      'HTTP/1.1 200 OK\r\nContent-Le',
    ]) {
      expect(read([text], { isClosed: true }), text).to.have.property('end', null)
    }
  })

  // @guards src/egress/http1/answer-reader.ts:read
  it('PX-08: tells what comes after an answer from the answer', () => {
    const next = answer(['Content-Length: 2'], '[]')
    for (const text of [
      answer(['Content-Length: 2'], '{}'),
      answer(['Content-Length: 0']),
      answer([chunked], '2\r\n{}\r\n0\r\n\r\n'),
    ]) {
      expect(read([text + next]), text).to.include({ end: 'with more', body: text.includes('{}') ? '{}' : '' })
    }
  })

  it('keeps a connection only where both sides say so', () => {
    const isKept = (head: readonly string[]) => (read([answer([...head, 'Content-Length: 0'])]) as Read).isKept
    expect(isKept([])).to.equal(true)
    expect(isKept(['Connection: Keep-Alive'])).to.equal(true)
    for (const value of ['close', 'Close', 'x, close', 'x'])
      expect(isKept([`Connection: ${value}`]), value).to.equal(false)
    expect(bodyOf('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n')).to.include({ end: 'clean', isKept: false })
    const illegal = 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'
    expect(bodyOf(illegal)).to.deep.equal({ body: '', end: 'clean', isKept: false })
  })

  const refused: readonly (readonly [why: string, text: string])[] = [
    ['two lengths', answer(['Content-Length: 2', 'Content-Length: 2'], '{}')],
    ['a list of lengths', answer(['Content-Length: 2, 2'], '{}')],
    ['a length with a sign', answer(['Content-Length: +2'], '{}')],
    ['a length that is none', answer(['Content-Length: 0x2'], '{}')],
    ['no length where one is announced', answer(['Content-Length:'], '{}')],
    ['a length beside chunks', answer(['Content-Length: 2', chunked], '2\r\n{}\r\n0\r\n\r\n')],
    ['chunks beside a length', answer([chunked, 'Content-Length: 2'], '2\r\n{}\r\n0\r\n\r\n')],
    ['another coding', answer(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n')],
    ['a coding that only looks like chunked', answer(['Transfer-Encoding: xchunked'], '0\r\n\r\n')],
    ['chunks twice', answer([chunked, chunked], '0\r\n\r\n')],
    ['chunks from HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a space before the colon', answer(['Content-Length : 2'], '{}')],
    ['a header without a name', answer([': x', 'Content-Length: 2'], '{}')],
    ['a line without a colon', answer(['Content-Length 2', 'Content-Length: 2'], '{}')],
    ['a folded header', answer(['X: 1', ' folded', 'Content-Length: 2'], '{}')],
    ['a folded first header', answer([' folded', 'Content-Length: 2'], '{}')],
    ['a bare line feed', answer(['X: 1\nContent-Length: 2'], '{}')],
    ['a bare carriage return', answer(['X: 1\rContent-Length: 2'], '{}')],
    ['NUL in a value', answer(['X: a\0b', 'Content-Length: 2'], '{}')],
    ['NUL in a name', answer(['X\0: a', 'Content-Length: 2'], '{}')],
    ['a name with letters beyond ASCII', answer(['\u00dc: a', 'Content-Length: 2'], '{}')],
    ['another version', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['another protocol', 'ICY 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a line before the status', `\r\n${answer(['Content-Length: 0'])}`],
    ['an empty chunk length', answer([chunked], '\r\n{}\r\n0\r\n\r\n')],
    ['a chunk length that is none', answer([chunked], '0x2\r\n{}\r\n0\r\n\r\n')],
    ['a chunk length with a space before it', answer([chunked], ' 2\r\n{}\r\n0\r\n\r\n')],
    ['a negative chunk length', answer([chunked], '-2\r\n{}\r\n0\r\n\r\n')],
    ['a chunk length beyond all', answer([chunked], '100000000\r\n{}')],
    ['a chunk line that ends in a bare line feed', answer([chunked], '2\n{}\r\n0\r\n\r\n')],
    ['NUL in an extension', answer([chunked], '2;a\0\r\n{}\r\n0\r\n\r\n')],
    ['a chunk longer than it says', answer([chunked], '1\r\n{}\r\n0\r\n\r\n')],
    ['a chunk that ends in a bare line feed', answer([chunked], '2\r\n{}\n0\r\n\r\n')],
    ['a trailer without a colon', answer([chunked], '0\r\nx\r\n\r\n')],
    ['a trailer with a bare line feed', answer([chunked], '0\r\nx: 1\n\r\n')],
    ['an endless chunk line', answer([chunked], `2;${'x'.repeat(1100)}`)],
    ['endless trailers', answer([chunked], `0\r\n${`X: ${'x'.repeat(500)}\r\n`.repeat(40)}`)],
    ['a head over 16 KB', answer([`X: ${'x'.repeat(17_000)}`, 'Content-Length: 0'])],
    ['a head over 16 KB that does not end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}`],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['100, which nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${answer(['Content-Length: 0'])}`],
    ['a flood of 1xx', `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)}${answer(['Content-Length: 0'])}`],
  ]
  for (const [why, text] of refused) {
    // @guards src/egress/http1/answer-head.ts:parseAnswerHead
    // @guards src/egress/http1/answer-reader.ts:read
    it(`PX-08: refuses ${why}, in one piece and byte by byte`, () => {
      expect(read([text])).to.equal('refused')
      expect(read(Array.from(text))).to.equal('refused')
    })
  }

  it('control: takes what is nearly the same', () => {
    for (const text of [
      answer([`X: ${'x'.repeat(16_000)}`, 'Content-Length: 0']),
      answer([chunked], `2;${'x'.repeat(900)}\r\n{}\r\n0\r\nx: 1\r\n\r\n`),
      answer(['X:', 'Y: \u00fc\t', 'Content-Length:\t2 '], '{}'),
      `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(16)}${answer(['Content-Length: 0'])}`,
    ]) {
      expect(read([text]), text).to.include({ status: 200, end: 'clean' })
      expect(read(Array.from(text)), text).to.deep.equal(read([text]))
    }
  })

  it('reads no further once it was stopped', () => {
    const heard: string[] = []
    const reader: AnswerReader = new AnswerReader({
      onHead: () => heard.push('head'),
      onData: (bytes) => {
        heard.push(bytes.toString())
        reader.stop()
      },
      onEnd: () => heard.push('end'),
    })
    reader.begin('POST')
    reader.read(Buffer.from(answer([chunked], '1\r\na\r\n1\r\nb\r\n0\r\n\r\n')))
    expect(heard).to.deep.equal(['head', 'a'])
  })

  it('reads the same in any pieces', () => {
    fc.assert(
      fc.property(answers, fc.array(fc.nat(400), { maxLength: 6 }), (text, cuts) => {
        expect(read(split(text, cuts), { isClosed: true })).to.deep.equal(read([text], { isClosed: true }))
      }),
      { numRuns: 2000 },
    )
  })

  // llhttp, which Node.js and undici use: what this reader takes for an answer must be the same answer there
  it("PX-08: what it accepts, Node's own parser reads alike", async () => {
    let accepted = 0
    let refusedHere = 0
    // a tab after a length, for one, which RFC 9110 section 5.6.3 allows
    let refusedThere = 0
    await fc.assert(
      fc.asyncProperty(answers, async (text) => {
        const ours = read([text], { isClosed: true })
        if (ours === 'refused' || ours.end !== 'clean') {
          refusedHere += 1
          return
        }
        const { status, headers, body } = ours
        const theirs = await readByNode(text)
        if (theirs === 'refused') refusedThere += 1
        else expect(theirs).to.deep.equal({ status, headers, body })
        accepted += 1
      }),
      { numRuns: 1500 },
    )
    expect(accepted, 'accepted').to.be.greaterThan(300)
    expect(refusedHere, 'refused').to.be.greaterThan(300)
    expect(refusedThere, 'refused by the other').to.be.lessThan(accepted / 50)
  })
})

function split(text: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts)].filter((cut) => cut > 0 && cut < text.length).toSorted((a, b) => a - b)
  return [0, ...places].map((from, index) => text.slice(from, places[index]))
}

async function readByNode(text: string): Promise<unknown> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  return await new Promise((resolve) => {
    const running = request({ method: 'POST', createConnection: () => socket as Socket }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('error', () => resolve('cut short'))
      response.on('end', () => {
        const headers = response.rawHeaders.map((part, index) => (index % 2 === 0 ? part.toLowerCase() : part))
        resolve({ status: response.statusCode, headers, body: Buffer.concat(parts).toString('latin1') })
      })
    })
    running.on('error', () => resolve('refused'))
    running.end()
    socket.push(Buffer.from(text, 'latin1'))
    socket.push(null)
  })
}

/** Answers that are mostly nearly right: of common parts, with one character in ten of them changed. */
const lines = fc.constantFrom(
  ...['Content-Type: application/json', 'Content-Length: 5', 'Content-Length: 2', 'Content-Length: 0', chunked],
  ...[
    'Connection: close',
    'Connection: keep-alive',
    'X-A:',
    'X-B:  two  words ',
    'Mcp-Session-Id: a\u00fcb',
    'Keep-Alive: timeout=5',
  ],
)
const bodies = fc.constantFrom(
  ...['', '{}', 'hello', 'hello and more', '5\r\nhello\r\n0\r\n\r\n', '2\r\n{}\r\n3;x=y\r\nabc\r\n0\r\n\r\n'],
  ...['5\r\nhello\r\n0\r\nT: 1\r\n\r\n', '0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
)
const statusLines = fc.constantFrom(
  ...['HTTP/1.1 200 OK', 'HTTP/1.1 200 ', 'HTTP/1.1 404 Not Found', 'HTTP/1.0 200 OK', 'HTTP/1.1 204 No Content'],
)
const changes = fc.constantFrom(
  '',
  '',
  '',
  '',
  ' ',
  '\t',
  '\r',
  '\n',
  '\r\n',
  '\0',
  ':',
  ',',
  ';',
  '0',
  'f',
  'x',
  '\u00fc',
)
const answers = fc
  .tuple(statusLines, fc.array(lines, { maxLength: 4 }), bodies, fc.nat(120), changes, fc.boolean())
  .map(([status, headers, body, place, change, isReplaced]) => {
    const text = `${[status, ...headers].join('\r\n')}\r\n\r\n${body}`
    return change === '' ? text : text.slice(0, place) + change + text.slice(place + (isReplaced ? 1 : 0))
  })
