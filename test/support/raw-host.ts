import { createHash } from 'node:crypto'
import { request } from 'undici'
import { hostBrowser, hostCallback } from './host.ts'
import type { Patchbay } from './patchbay.ts'
import { until } from './until.ts'
import type { Browser, Page } from './upstreams/browser.ts'

export const verifier = 'a-verifier-of-forty-three-characters-or-more.'
const challenge = createHash('sha256').update(verifier).digest('base64url')

export type TokenReply = {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any
}

type Asked = {
  readonly form?: Readonly<Record<string, string>>
  readonly json?: object
  readonly bearer?: string
  /** The process that is asked. */
  readonly via?: string
}

/**
 * A host that is spelled out parameter by parameter, to send what no library would.
 *
 * @param at the process that it reaches under the public name; the default is the one of `patchbay`
 */
export function createRawHost(patchbay: Patchbay, connectorId: string, at = patchbay.url) {
  const resource = `${patchbay.url}/connectors/${connectorId}/mcp`

  const register = (metadata: object = {}): Promise<TokenReply> =>
    ask('POST', '/oauth/register', {
      json: { redirect_uris: [hostCallback], client_name: 'Raw host', ...metadata },
    })

  function authorizationUrl(clientId: string, change: Readonly<Record<string, string | null>> = {}): string {
    const parameters = {
      response_type: 'code',
      client_id: clientId,
      redirect_uri: hostCallback,
      scope: 'mcp',
      state: 'the-state',
      resource,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...change,
    }
    const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== null)
    return `${patchbay.url}/oauth/authorize?${new URLSearchParams(given)}`
  }

  /** Opens a request and says who one is: the consent page. */
  async function openConsent(url: string, { browser = hostBrowser(), name = 'alice' } = {}): Promise<Page> {
    const page = await browser.open(url)
    return page.title === 'Who are you?' ? browser.submit({ button: 'name', fields: { name } }) : page
  }

  async function authorize(clientId: string, browser: Browser = hostBrowser()): Promise<string> {
    await openConsent(authorizationUrl(clientId), { browser })
    const arrived = new URL((await browser.submit({ button: 'authorize' })).url)
    return arrived.searchParams.get('code') ?? ''
  }

  /** Any request of a host: a form or a JSON body, with or without a token. */
  async function ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, parts: Asked = {}): Promise<TokenReply> {
    const { form, json, bearer, via = at } = parts
    const { statusCode, body } = await request(via + path, {
      method,
      headers: {
        // another process is asked under the one public name
        host: new URL(patchbay.url).host,
        accept: 'application/json, text/event-stream',
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() }),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    })
    const text = await body.text()
    return { status: statusCode, body: text === '' ? null : JSON.parse(text) }
  }

  const post = (path: string, form: Readonly<Record<string, string>>, via = at) => ask('POST', path, { form, via })
  const get = (path: string) => ask('GET', path)

  const redeem = (clientId: string, code: string, change: Readonly<Record<string, string>> = {}) =>
    post('/oauth/token', {
      grant_type: 'authorization_code',
      client_id: clientId,
      code,
      redirect_uri: hostCallback,
      code_verifier: verifier,
      resource,
      ...change,
    })

  const refresh = (clientId: string, token: string, change: Readonly<Record<string, string>> = {}, via = at) =>
    post('/oauth/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: token, ...change }, via)

  /** Status of a call to the connector: 401 unless the token is good. */
  async function call(accessToken: string): Promise<number> {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
    const json = { jsonrpc: '2.0', id: 1, method: 'initialize', params }
    return (await ask('POST', new URL(resource).pathname, { json, bearer: accessToken })).status
  }

  /** A token that was good a moment ago is not any more: what ended it is heard of within moments (TK-05). */
  const refused = (accessToken: string): Promise<void> =>
    until('the token to be refused', async () => (await call(accessToken)) === 401, 2000)

  return {
    resource,
    register,
    authorizationUrl,
    openConsent,
    authorize,
    redeem,
    refresh,
    ask,
    post,
    get,
    call,
    refused,
  }
}

export type RawHost = ReturnType<typeof createRawHost>
