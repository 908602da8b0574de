import { expect } from 'chai'
import { advanceSseState, isAtEventBoundary, sseState } from '../../../src/proxy/sse-boundary.ts'

const isBoundaryAfter = (...chunks: string[]): boolean =>
  isAtEventBoundary(
    chunks.reduce((state, chunk) => advanceSseState(state, Buffer.from(chunk)), sseState.atBoundary as number),
  )

/** The standard's own words, over the whole text: an event ends where an empty line does. */
function endsEvent(text: string): boolean {
  const lines = text.split(/\r\n|\r|\n/)
  // Without a line end at the very end, the last line is still open.
  if (lines.at(-1) !== '') return false
  return text === '' || lines.at(-2) === ''
}

describe('advanceSseState', () => {
  for (const end of ['\n', '\r', '\r\n']) {
    it(`finds the end of an event whose lines end in ${JSON.stringify(end)}`, () => {
      expect(isBoundaryAfter(`id: 1${end}data: x${end}${end}`)).to.equal(true)
      expect(isBoundaryAfter(`id: 1${end}data: x${end}`)).to.equal(false)
      expect(isBoundaryAfter(`id: 1${end}data: x`)).to.equal(false)
    })
  }

  it('counts the beginning of a stream as a boundary', () => {
    expect(isAtEventBoundary(sseState.atBoundary)).to.equal(true)
  })

  it('takes a CRLF that two chunks share for one line end', () => {
    expect(isBoundaryAfter('data: x\r', '\n')).to.equal(false)
    expect(isBoundaryAfter('data: x\r', '\n', '\r', '\n')).to.equal(true)
  })

  it('agrees with the standard on every split of every short stream', () => {
    const alphabet = ['a', '\n', '\r']
    let checked = 0
    for (let length = 1; length <= 7; length += 1) {
      for (let code = 0; code < alphabet.length ** length; code += 1) {
        const text = Array.from({ length }, (_, place) => alphabet[Math.floor(code / 3 ** place) % 3]).join('')
        for (let split = 0; split <= length; split += 1) {
          const [head, tail] = [text.slice(0, split), text.slice(split)]
          expect(isBoundaryAfter(head, tail), JSON.stringify([head, tail])).to.equal(endsEvent(text))
          checked += 1
        }
      }
    }
    expect(checked).to.be.greaterThan(20_000)
  })
})
