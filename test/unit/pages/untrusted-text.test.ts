import { expect } from 'chai'
import { untrusted, untrustedText } from '../../../src/http/pages/untrusted-text.ts'

const graphemes = (text: string): number => Array.from(new Intl.Segmenter('en').segment(text)).length

describe('untrustedText', () => {
  it('leaves an ordinary name alone, of any script', () => {
    for (const name of [
      'Stripe',
      'support-bot (production)',
      'Ärzte & Söhne',
      '日本語のサーバー',
      'שלום',
      'नमस्ते',
      'e\u0301t\u00e9'.normalize('NFC'),
    ]) {
      expect(untrustedText(name)).to.equal(name)
    }
  })

  it('CN-04: caps at 60 graphemes, not code units', () => {
    expect(untrustedText('a'.repeat(60))).to.equal('a'.repeat(60))
    expect(untrustedText('a'.repeat(61))).to.equal(`${'a'.repeat(60)}…`)
    expect(untrustedText('😀'.repeat(60))).to.equal('😀'.repeat(60))
    expect(untrustedText('👩🏽'.repeat(70))).to.equal(`${'👩🏽'.repeat(60)}…`)
    expect(graphemes(untrustedText('नि'.repeat(500)))).to.equal(61)
  })

  it('CN-04: strips bidirectional, control, zero-width and other invisible characters', () => {
    const invisible = [
      ...[
        '\u202a',
        '\u202b',
        '\u202c',
        '\u202d',
        '\u202e',
        '\u2066',
        '\u2067',
        '\u2068',
        '\u2069',
        '\u200e',
        '\u200f',
        '\u061c',
      ],
      ...['\u0000', '\u0007', '\u001b', '\u007f', '\u0085', '\u009b', '\u00ad', '\u034f', '\u115f', '\u17b5', '\u180e'],
      ...[
        '\u200b',
        '\u200c',
        '\u200d',
        '\u2060',
        '\u2064',
        '\ufeff',
        '\u3164',
        '\uffa0',
        '\ufe0f',
        '\ufff9',
        '\ufffe',
        '\ue000',
      ],
      ...['\u{e0001}', '\u{e0041}', '\u{e0100}', '\u{1d173}', '\u{10fffd}', '\ud800', '\udfff'],
    ]
    for (const character of invisible) {
      const shown = untrustedText(`Acme${character}Corp`)
      expect(shown, `U+${character.codePointAt(0)?.toString(16)}`).to.match(/^Acme ?Corp$/)
      expect(untrustedText(character)).to.equal('')
    }
    expect(untrustedText('\u202egnp.exe')).to.equal('gnp.exe')
  })

  it('stays on one line', () => {
    expect(untrustedText('  Acme\r\n\tCorp\u2028\u2029\u000b\u00a0\u3000Ltd  ')).to.equal('Acme Corp Ltd')
  })

  it('does not let accents pile up', () => {
    expect(Array.from(untrustedText(`a${'\u0301\u0302\u0303'.repeat(200)}b`)).length).to.be.lessThan(20)
  })

  it('does little work for a text of megabytes', () => {
    const begun = performance.now()
    for (const unit of ['a', '\u0301', '\u202e', '<', '👩🏽', ' ']) untrustedText(unit.repeat(4_000_000))
    expect(performance.now() - begun).to.be.lessThan(2000)
  })
})

describe('untrusted', () => {
  it('isolates the direction of the text and escapes it', () => {
    expect(untrusted('<שלום>').toString()).to.equal('<bdi>&lt;שלום&gt;</bdi>')
  })

  it('says so where nothing visible is left', () => {
    expect(untrusted('\u200b\u202e ').toString()).to.equal('(no name)')
    expect(untrusted('', '(unreadable)').toString()).to.equal('(unreadable)')
  })
})
