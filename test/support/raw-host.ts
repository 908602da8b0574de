import { createHash } from 'node:crypto'
import { request } from 'undici'
import { hostBrowser, hostCallback } from './host.ts'
import type { Patchbay } from './patchbay.ts'
import type { Browser, Page } from './upstreams/browser.ts'

export const verifier = 'a-verifier-of-forty-three-characters-or-more.'
const challenge = createHash('sha256').update(verifier).digest('base64url')

export type TokenReply = {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly body: any
}

/** A host that is spelled out parameter by parameter, to send what no library would. */
export function createRawHost(patchbay: Patchbay, connectorId: string) {
  const resource = `${patchbay.url}/connectors/${connectorId}/mcp`

  async function register(metadata: object = {}): Promise<TokenReply> {
    const { status, body } = await patchbay.request('POST', '/oauth/register', {
      key: null,
      body: { redirect_uris: [hostCallback], client_name: 'Raw host', ...metadata },
    })
    return { status, body }
  }

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

  async function post(path: string, form: Readonly<Record<string, string>>, at = patchbay.url): Promise<TokenReply> {
    const { statusCode, body } = await request(at + path, {
      method: 'POST',
      // another process is asked under the one public name
      headers: { host: new URL(patchbay.url).host, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    })
    const text = await body.text()
    return { status: statusCode, body: text === '' ? null : JSON.parse(text) }
  }

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

  const refresh = (clientId: string, token: string, change: Readonly<Record<string, string>> = {}, at = patchbay.url) =>
    post('/oauth/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: token, ...change }, at)

  /** Status of a call to the connector: 401 unless the token is good. */
  async function call(accessToken: string): Promise<number> {
    const { status } = await patchbay.request('POST', `/connectors/${connectorId}/mcp`, {
      key: accessToken,
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
      },
      headers: { accept: 'application/json, text/event-stream' },
    })
    return status
  }

  return { resource, register, authorizationUrl, openConsent, authorize, redeem, refresh, post, call }
}

export type RawHost = ReturnType<typeof createRawHost>
