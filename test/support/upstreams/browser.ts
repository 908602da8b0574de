import { request } from 'undici'
import { type CookieJar, createCookieJar } from './cookie-jar.ts'
import { allowsFormTarget } from './form-action.ts'
import { fillForm, type Submission } from './form-filling.ts'
import { type HtmlDocument, readHtml } from './html-document.ts'

export type Page = {
  /** 0 where the browser stopped instead of asking: see `stopAt`. */
  readonly status: number
  readonly url: string
  readonly headers: Headers
  /** The body as it came. */
  readonly html: string
  readonly title: string
  /** What a person can read of it. */
  readonly text: string
}

export type BrowserOptions = {
  /**
   * Addresses that are not requested: an origin, or an origin with the one path that counts. Arriving there ends the
   * walk with a page of status 0 whose `url` holds the whole address.
   */
  readonly stopAt?: readonly string[]
}

export type Browser = {
  /** Types an address and follows redirects and `<meta http-equiv=refresh>` until a page stands still. */
  open(url: string): Promise<Page>
  /** Submits a form of the page that stands, as pressing `button` (its text, name or value) would. */
  submit(submission?: Submission): Promise<Page>
  /** Follows the link with this text. */
  follow(text: string): Promise<Page>
  /** The page that stands. */
  readonly page: Page
  readonly cookies: CookieJar
}

type Navigation = {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly body?: string
  /** The page that caused it; none when a person typed the address. */
  readonly from?: Page
  /** True from a form post on, redirects included. */
  readonly isForm?: boolean
}

const maxHops = 20

/**
 * A scripted browser without JavaScript: cookies by host (ports ignored), SameSite, `Origin` and `Sec-Fetch-*` as
 * browsers send them, and Chromium's reading of CSP `form-action`. Each one is a person of their own.
 *
 * It throws where a person would be stuck: no such form, button or field, a blocked form, a ring of redirects.
 */
export function createBrowser({ stopAt = [] }: BrowserOptions = {}): Browser {
  const cookies = createCookieJar()
  let current: { readonly page: Page; readonly document: HtmlDocument } | undefined

  const standing = () => {
    if (current === undefined) throw new Error('the browser has opened nothing yet')
    return current
  }

  const stand = (page: Page): Page => {
    current = { page, document: readHtml(page.html) }
    return page
  }

  const navigate = async (navigation: Navigation): Promise<Page> => {
    let next = navigation
    let site: FetchSite = 'none'
    for (let hop = 0; hop < maxHops; hop++) {
      const { url, method, body, from } = next
      if (isStop(url, stopAt)) return stand(emptyPage(url))
      if (from !== undefined) {
        const isBlocked =
          next.isForm === true && !allowsFormTarget(from.headers.get('content-security-policy'), new URL(from.url), url)
        if (isBlocked) throw new Error(`form-action of ${from.url} blocks the way to ${url.origin}`)
        site = wider(site, fetchSite(new URL(from.url), url))
      }
      const isSameSite = from === undefined || new URL(from.url).hostname === url.hostname
      const response = await request(url, {
        method,
        headers: {
          accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
          'user-agent': 'Mozilla/5.0 (scripted browser without JavaScript)',
          'sec-fetch-site': site,
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          ...withValue('cookie', cookies.header(url, { isSameSite, method })),
          ...(method === 'POST' ? { origin: originOf(from), 'content-type': 'application/x-www-form-urlencoded' } : {}),
        },
        ...(body === undefined ? {} : { body }),
      })
      const headers = readHeaders(response.headers)
      cookies.store(url, headers.getSetCookie())
      const html = await response.body.text()
      const location = headers.get('location')
      if (location !== null && response.statusCode >= 300 && response.statusCode < 400) {
        next = afterRedirect(next, response.statusCode, new URL(location, url))
        continue
      }
      const document = readHtml(html)
      const page = {
        status: response.statusCode,
        url: url.href,
        headers,
        html,
        title: document.title,
        text: document.text,
      }
      if (document.refresh === undefined) return stand(page)
      next = { url: new URL(document.refresh, url), method: 'GET', from: page }
      site = 'none'
    }
    throw new Error(`more than ${maxHops} redirects, the last to ${next.url.href}`)
  }

  return {
    open: (url) => navigate({ url: new URL(url), method: 'GET' }),

    submit(submission = {}) {
      const { page, document } = standing()
      const filled = fillForm(document.forms, submission, page.url)
      return navigate({ ...filled, from: page, isForm: true })
    },

    follow(text) {
      const { page, document } = standing()
      const link = document.links.find((candidate) => candidate.text === text)
      if (link === undefined) throw new Error(`no link "${text}" on ${page.url}`)
      return navigate({ url: new URL(link.href, page.url), method: 'GET', from: page })
    },

    get page() {
      return standing().page
    },
    cookies,
  }
}

function afterRedirect(navigation: Navigation, status: number, url: URL): Navigation {
  if (status === 307 || status === 308) return { ...navigation, url }
  const { body: _dropped, ...rest } = navigation
  return { ...rest, url, method: 'GET' }
}

function isStop(url: URL, stopAt: readonly string[]): boolean {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return true
  return stopAt.some((address) => {
    const stop = new URL(address)
    return stop.origin === url.origin && (stop.pathname === '/' || stop.pathname === url.pathname)
  })
}

function emptyPage(url: URL): Page {
  return { status: 0, url: url.href, headers: new Headers(), html: '', title: '', text: '' }
}

type FetchSite = 'none' | 'same-origin' | 'same-site' | 'cross-site'
const fetchSites: readonly FetchSite[] = ['none', 'same-origin', 'same-site', 'cross-site']

/** Fetch Metadata: the relation between the page that asks and the address. */
function fetchSite(from: URL, to: URL): FetchSite {
  if (from.origin === to.origin) return 'same-origin'
  return from.hostname === to.hostname && from.protocol === to.protocol ? 'same-site' : 'cross-site'
}

/** A chain of redirects is judged by its farthest hop. */
function wider(a: FetchSite, b: FetchSite): FetchSite {
  return fetchSites.indexOf(a) > fetchSites.indexOf(b) ? a : b
}

/** Fetch standard, "serialize a request origin": pages that send no referrer send no origin either. */
function originOf(page: Page | undefined): string {
  if (page === undefined || page.headers.get('referrer-policy') === 'no-referrer') return 'null'
  return new URL(page.url).origin
}

function withValue(name: string, value: string): Record<string, string> {
  return value === '' ? {} : { [name]: value }
}

function readHeaders(raw: Readonly<Record<string, string | string[] | undefined>>): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(raw)) {
    for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) headers.append(name, item)
  }
  return headers
}
