import { AppError } from './app-error.ts'

const maxUrlLength = 2048
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const forbiddenCharacters = /[\u0000-\u0020\u007f-\u009f\\]/

/** The address of a remote MCP server (RFC 8707 section 2: absolute, without a fragment). */
export type ResourceUrl = {
  /** As the URL standard serialises it. Requests go exactly here. */
  readonly href: string
  /** For matching: the same, without a lone trailing slash. Nothing fuzzier. */
  readonly key: string
}

/**
 * Reads the URL of an MCP server as a person or program typed it.
 *
 * Both the raw string and the parsed form are judged, since parsers drop characters that later readers see.
 * Whether the address may be reached is the egress guard's question, not this function's.
 *
 * @throws AppError `url_invalid`
 */
export function parseResourceUrl(raw: string): ResourceUrl {
  const refuse = (publicDetail: string): never => {
    throw new AppError('url_invalid', 'resource URL refused', {
      publicDetail,
      fields: [{ path: 'url', message: publicDetail }],
    })
  }
  if (raw.length > maxUrlLength) refuse(`The URL is longer than ${maxUrlLength} characters.`)
  if (forbiddenCharacters.test(raw)) refuse('The URL holds a space, a control character or a backslash.')
  if (!/^https?:\/\/[^/]/i.test(raw)) refuse('The URL must begin with https:// (or http://) and name a host.')
  if (!URL.canParse(raw)) refuse('This is not a URL.')
  const url = new URL(raw)
  if (/^https?:\/\/[^/?#]*@/i.test(raw)) refuse('The URL must not hold a user name or password.')
  if (raw.includes('#')) refuse('The URL must not have a fragment (#...).')
  if (url.href.length > maxUrlLength) refuse(`The URL is longer than ${maxUrlLength} characters.`)
  return { href: url.href, key: resourceUrlKey(url) }
}

/** The canonical form under which two spellings of one resource meet: case, default port, a lone trailing slash. */
export function resourceUrlKey(url: URL): string {
  return url.href.endsWith('/') && url.search === '' ? url.href.slice(0, -1) : url.href
}

/** True for an origin that only this machine can reach. */
export function isLoopbackOrigin(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname)
}
