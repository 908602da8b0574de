import { expect } from 'chai'
import { createLogger } from '../../../src/log/logger.ts'

describe('createLogger', () => {
  const lines: string[] = []
  const log = createLogger('info', { write: (line) => void lines.push(line) })
  beforeEach(() => void lines.splice(0))

  /** What a server, a client's name or a browser may send. */
  const hostile = [
    'a\r\nb',
    '{"level":60}\n',
    'a\u001b[31mred',
    'a\u0000b',
    'a\u2028b\u2029c',
    'a\u009b31mb',
    'a\u007fb',
  ]

  // @guards src/log/logger.ts:escapeUnseen
  it('CR-07: writes one line of visible characters for each call, whatever it is told', () => {
    for (const text of hostile) {
      log.info({ name: text, [text]: 1 }, text)
      log.error({ err: new Error(text, { cause: new Error(text) }) }, 'failed')
      for (const line of lines.splice(0)) {
        expect(line.endsWith('\n')).to.equal(true)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        expect(line.slice(0, -1), JSON.stringify(text)).not.to.match(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        const parsed = JSON.parse(line)
        // escaped, not lost
        expect(parsed.msg === text || parsed.err.message === text).to.equal(true)
      }
    }
  })

  // @guards src/log/logger.ts:describeError
  it('CR-07: cuts long texts of errors, their stack included', () => {
    log.error({ err: new Error('x'.repeat(1_000_000)) }, 'failed')
    expect(lines.join('').length).to.be.lessThan(6000)
  })

  // @guards src/log/logger.ts:describeError
  it('CR-06: says of an error nothing that libraries hang on it', () => {
    const canary = 'CANARY-c1'
    const error = Object.assign(new Error('request failed'), {
      response: { body: canary },
      request: { headers: { authorization: canary } },
      cause: Object.assign(new Error('inner'), { body: canary, config: { data: canary } }),
    })
    log.error({ err: error }, 'failed')
    expect(lines.join('')).to.include('inner').and.not.include(canary)
    // the control: told outright, it would be there
    log.error({ told: canary }, 'failed')
    expect(lines.join('')).to.include(canary)
  })
})
