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
