/** What a server's Bearer challenge says (RFC 6750 section 3, RFC 9728 section 5.1). All of it is the upstream's word. */
export type Challenge = {
  readonly resourceMetadata?: string
  readonly scope?: string
  readonly error?: string
}

const maxValueLength = 2048
const separators = ' \t,'
/** A map, since the names are the upstream's: an object would also know `constructor`. */
const interesting: ReadonlyMap<string, keyof Challenge> = new Map([
  ['resource_metadata', 'resourceMetadata'],
  ['scope', 'scope'],
  ['error', 'error'],
])

/**
 * Reads a `WWW-Authenticate` header that may hold several challenges (RFC 9110 section 11.6.1).
 *
 * One pass over the text, whatever stands in it: a hostile 64 KB cost no more than 64 KB. Commas between
 * parameters may be missing, unknown parameters and values over 2 KB are passed over, and of a parameter that is
 * given twice the first counts.
 *
 * @returns the first Bearer challenge that names its metadata, else the first; null without any
 */
export function parseChallenge(header: string): Challenge | null {
  const found: Challenge[] = []
  let current: { -readonly [Name in keyof Challenge]: Challenge[Name] } | null = null
  let at = 0
  while (at < header.length) {
    const nameEnd = endOfToken(header, at)
    if (nameEnd === at) {
      at += 1
      continue
    }
    const name = header.slice(at, nameEnd).toLowerCase()
    const equals = skip(header, nameEnd, ' \t')
    if (header[equals] !== '=') {
      current = name === 'bearer' ? {} : null
      if (current !== null) found.push(current)
      at = nameEnd
      continue
    }
    const { value, end } = readValue(header, skip(header, equals + 1, ' \t'))
    const field = interesting.get(name)
    if (current !== null && field !== undefined && current[field] === undefined && value.length <= maxValueLength) {
      current[field] = value
    }
    at = end
  }
  return found.find(({ resourceMetadata }) => resourceMetadata !== undefined) ?? found[0] ?? null
}

/** The scopes of a `scope` value, without what is no scope (RFC 6749 section 3.3). */
export function parseScopes(scope: string): string[] {
  const scopes = scope.split(' ').filter((token) => token.length <= 256 && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(token))
  return [...new Set(scopes)].slice(0, 100)
}

function skip(text: string, from: number, characters: string): number {
  let at = from
  while (at < text.length && characters.includes(text.charAt(at))) at += 1
  return at
}

/** A scheme or a parameter's name ends at a separator, `=` or a quote. */
function endOfToken(text: string, from: number): number {
  let at = from
  while (at < text.length && !'="'.includes(text.charAt(at)) && !separators.includes(text.charAt(at))) at += 1
  return at
}

function readValue(text: string, from: number): { value: string; end: number } {
  let at = from
  if (text[at] !== '"') {
    while (at < text.length && !separators.includes(text.charAt(at))) at += 1
    return { value: text.slice(from, at), end: at }
  }
  const parts: string[] = []
  for (at += 1; at < text.length && text[at] !== '"'; at += 1) {
    if (text[at] === '\\') at += 1
    parts.push(text.charAt(at))
  }
  return { value: parts.join(''), end: at + 1 }
}
