import { AppError } from '../kernel/app-error.ts'
import { isLoopbackOrigin } from '../kernel/resource-url.ts'

const maxLength = 2048
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const forbiddenCharacters = /[\u0000-\u0020\u007f-\u009f\\]/

export type RedirectPolicy = (raw: string) => string

type Options = {
  readonly publicUrl: URL
  /** Origins, or URL prefixes that end on a path boundary. */
  readonly allow: readonly string[]
  readonly isLoopbackAllowed: boolean
}

/**
 * Judges a `redirect_url` when a connect asks for it, never later: open redirects are refused before anybody is sent
 * anywhere (RFC 9700 section 4.11).
 *
 * @returns a function that gives back the URL unchanged, or throws AppError `redirect_url_not_allowed`
 */
export function createRedirectPolicy({ publicUrl, allow, isLoopbackAllowed }: Options): RedirectPolicy {
  const prefixes = allow.map((entry) => new URL(entry))
  const refuse = (message: string): never => {
    throw new AppError('redirect_url_not_allowed', 'redirect_url refused', {
      publicDetail: message,
      fields: [{ path: 'redirect_url', message }],
    })
  }
  return (raw) => {
    if (raw.length > maxLength) refuse(`The redirect_url is longer than ${maxLength} characters.`)
    if (forbiddenCharacters.test(raw)) refuse('The redirect_url holds a space, a control character or a backslash.')
    if (!/^https?:\/\/[^/]/i.test(raw) || !URL.canParse(raw))
      refuse('The redirect_url must be an http(s) URL that names a host.')
    const url = new URL(raw)
    if (/^https?:\/\/[^/?#]*@/i.test(raw)) refuse('The redirect_url must not hold a user name or password.')
    if (raw.includes('#')) refuse('The redirect_url must not have a fragment (#...).')
    const isAllowed =
      url.origin === publicUrl.origin ||
      (isLoopbackAllowed && isLoopbackOrigin(url)) ||
      prefixes.some((prefix) => isUnder(prefix, url))
    if (!isAllowed) refuse('This redirect_url is not on the list of allowed ones (setting REDIRECT_URL_ALLOW).')
    return raw
  }
}

function isUnder(prefix: URL, url: URL): boolean {
  // an encoded slash is a slash to some servers, and would lead out of the prefix there
  if (url.origin !== prefix.origin || /%2f|%5c/i.test(url.pathname)) return false
  const path = prefix.pathname.endsWith('/') ? prefix.pathname : `${prefix.pathname}/`
  return url.pathname === prefix.pathname || url.pathname.startsWith(path)
}
