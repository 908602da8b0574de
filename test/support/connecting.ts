import type { Patchbay } from './patchbay.ts'
import { type Browser, createBrowser, type Page } from './upstreams/browser.ts'

type ConnectOptions = {
  /** Default: the administrator's. */
  readonly key?: string
  readonly body?: object
  readonly browser?: Browser
  /** Who to be on the sandbox's sign-in page, where there is one. */
  readonly account?: string
}

/** Creates a connector for `url`. */
export async function createConnector(
  patchbay: Patchbay,
  url: string,
  { key = patchbay.admin, ...fields }: { readonly key?: string; readonly [field: string]: unknown } = {},
): Promise<string> {
  const created = await patchbay.request('POST', '/api/v1/connectors', { key, body: { url, ...fields } })
  if (created.status !== 201) throw new Error(`not created: ${created.text}`)
  return created.body.id
}

/** Asks for a connection that a person must authorize, and gives the link. */
export async function askForLink(
  patchbay: Patchbay,
  id: string,
  { key = patchbay.admin, body = {} }: ConnectOptions = {},
): Promise<string> {
  const answer = await patchbay.request('POST', `/api/v1/connectors/${id}/connect`, { key, body })
  if (answer.body?.state !== 'auth_required') throw new Error(`no link: ${answer.text}`)
  return answer.body.auth_request.authorization_endpoint
}

/** Opens a link as a person would, presses Continue, and signs in where asked. Gives the page at the end. */
export async function followLink(
  link: string,
  { browser = createBrowser(), account = 'Alice' }: Pick<ConnectOptions, 'browser' | 'account'> = {},
): Promise<Page> {
  await browser.open(link)
  const next = await browser.submit()
  if (!next.title.includes('Who are you?')) return next
  return browser.submit({ button: 'Authorize', fields: { name: account } })
}

/** The whole way: asks for a link and follows it. */
export async function authorize(patchbay: Patchbay, id: string, options: ConnectOptions = {}): Promise<Page> {
  return followLink(await askForLink(patchbay, id, options), options)
}

export type Arrival = {
  /** The callback as the authorization server would have the browser open it. */
  readonly callback: URL
  /** What the browser would send along. */
  readonly cookie: string
}

/** Goes the whole way but for its last step: the browser stands in front of the callback. */
export async function stopAtCallback(patchbay: Patchbay, link: string): Promise<Arrival> {
  const address = `${patchbay.url}/api/v1/connectors/oauth/callback`
  const browser = createBrowser({ stopAt: [address] })
  const page = await followLink(link, { browser })
  const callback = new URL(page.url)
  return { callback, cookie: browser.cookies.header(callback, { isSameSite: false, method: 'GET' }) }
}
