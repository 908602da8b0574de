type Cookie = {
  readonly value: string
  readonly path: string
  readonly expiresAtMs: number
  readonly sameSite: 'strict' | 'lax' | 'none'
}

type CookieContext = {
  /** False when another site's page caused the navigation. */
  readonly isSameSite: boolean
  readonly method: string
}

export type CookieJar = {
  /** Takes the `Set-Cookie` headers of a response from `url`. */
  store(url: URL, setCookies: readonly string[]): void
  /** The `Cookie` header for a navigation to `url`; empty when there are none. */
  header(url: URL, context: CookieContext): string
  /** Names of the cookies held for a host. */
  names(hostname: string): string[]
}

/**
 * Cookies as real jars keep them (RFC 6265 sections 5.3 and 5.4, and SameSite of its successor): by host name whatever
 * the port, by path, with Lax as the default. Stricter than some: `Secure` is refused on plain http, localhost too.
 */
export function createCookieJar(): CookieJar {
  const hosts = new Map<string, Map<string, Cookie>>()

  const cookiesOf = (hostname: string): Map<string, Cookie> => {
    const cookies = hosts.get(hostname) ?? new Map<string, Cookie>()
    hosts.set(hostname, cookies)
    return cookies
  }

  return {
    store(url, setCookies) {
      for (const line of setCookies) {
        const [pair = '', ...rest] = line.split(';')
        const separator = pair.indexOf('=')
        if (separator < 1) continue
        const name = pair.slice(0, separator).trim()
        const attributes = new Map(rest.map(readAttribute))
        if (url.protocol === 'http:' && (attributes.has('secure') || /^__(Host|Secure)-/.test(name))) continue
        const path = attributes.get('path')?.startsWith('/') ? (attributes.get('path') ?? '/') : defaultPath(url)
        const cookie = {
          value: pair.slice(separator + 1).trim(),
          path,
          expiresAtMs: expiry(attributes),
          sameSite: readSameSite(attributes.get('samesite')),
        }
        const cookies = cookiesOf(url.hostname)
        const key = `${name};${path}`
        if (cookie.expiresAtMs <= Date.now()) cookies.delete(key)
        else cookies.set(key, cookie)
      }
    },

    header(url, { isSameSite, method }) {
      return [...cookiesOf(url.hostname)]
        .filter(([, cookie]) => cookie.expiresAtMs > Date.now() && isPathMatch(url.pathname, cookie.path))
        .filter(([, { sameSite }]) => isSameSite || sameSite === 'none' || (sameSite === 'lax' && method === 'GET'))
        .sort(([, a], [, b]) => b.path.length - a.path.length)
        .map(([key, cookie]) => `${nameIn(key)}=${cookie.value}`)
        .join('; ')
    },

    names: (hostname) => [...new Set([...cookiesOf(hostname).keys()].map(nameIn))],
  }
}

function nameIn(key: string): string {
  return key.slice(0, key.indexOf(';'))
}

function readAttribute(text: string): [string, string] {
  const separator = text.indexOf('=')
  if (separator === -1) return [text.trim().toLowerCase(), '']
  return [text.slice(0, separator).trim().toLowerCase(), text.slice(separator + 1).trim()]
}

function readSameSite(value: string | undefined): Cookie['sameSite'] {
  const lower = value?.toLowerCase()
  return lower === 'strict' || lower === 'none' ? lower : 'lax'
}

function expiry(attributes: ReadonlyMap<string, string>): number {
  const maxAge = attributes.get('max-age')
  if (maxAge !== undefined) return Date.now() + Number(maxAge) * 1000
  const expires = attributes.get('expires')
  return expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires)
}

/** RFC 6265 section 5.1.4. */
function defaultPath({ pathname }: URL): string {
  const end = pathname.lastIndexOf('/')
  return end < 1 ? '/' : pathname.slice(0, end)
}

function isPathMatch(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
}
