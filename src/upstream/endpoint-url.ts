// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const forbiddenCharacters = /[\u0000-\u0020\u007f-\u009f\\]/

/**
 * Reads a URL that an upstream names, raw form and parsed form both: parsers drop characters that later readers see.
 *
 * @returns null for anything but an absolute http(s) URL without user name, password and fragment
 */
export function parseUpstreamUrl(raw: string): URL | null {
  if (forbiddenCharacters.test(raw) || !/^https?:\/\/[^/]/i.test(raw) || !URL.canParse(raw)) return null
  const url = new URL(raw)
  return url.username === '' && url.password === '' && !raw.includes('#') ? url : null
}

/**
 * True for an endpoint that may be used: https; http only where the metadata that names it came over http, which the
 * egress guard allows for listed destinations and loopback alone.
 */
export function isAcceptableEndpoint(raw: string, metadataUrl: URL): boolean {
  const url = parseUpstreamUrl(raw)
  return url !== null && (url.protocol === 'https:' || metadataUrl.protocol === 'http:')
}

/**
 * The same for the page that a person's browser is sent to, which no guard stands before: over http it must be where
 * its metadata is (MCP authorization, "Open Redirection"; RFC 9700 section 2.6).
 */
export function isAcceptablePage(raw: string, metadataUrl: URL): boolean {
  const url = parseUpstreamUrl(raw)
  return url !== null && (url.protocol === 'https:' || url.origin === metadataUrl.origin)
}
