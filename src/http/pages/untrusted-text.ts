import { html, type SafeHtml } from './html.ts'

const maxGraphemes = 60
// Letters with a stack of accents are one grapheme however tall they get.
const maxCodePointsPerGrapheme = 8
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/**
 * Text that somebody else chose (an upstream, a client, an API caller), made fit to stand in a sentence of ours:
 * on one line, without control, bidirectional, zero-width, private-use or otherwise invisible characters, and at
 * most 60 graphemes long (security checklist CN-04). Still to be escaped, which `html` does.
 */
export function untrustedText(raw: string): string {
  const visible = raw
    // Far more than can be shown: keeps the work small for a text of megabytes.
    .slice(0, maxGraphemes * 64)
    .normalize('NFC')
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim()
  let text = ''
  let count = 0
  for (const { segment } of segmenter.segment(visible)) {
    if (count === maxGraphemes) return `${text.trimEnd()}…`
    text += Array.from(segment).slice(0, maxCodePointsPerGrapheme).join('')
    count += 1
  }
  return text
}

/**
 * The same as an element. `<bdi>` keeps letters that run from right to left from reordering our own words.
 * `fallback` stands in where nothing visible is left.
 */
export function untrusted(raw: string, fallback = '(no name)'): SafeHtml {
  const text = untrustedText(raw)
  return text === '' ? html`${fallback}` : html`<bdi>${text}</bdi>`
}
