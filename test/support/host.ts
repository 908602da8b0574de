import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import type {
  OAuthClientInformationFull,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js'
import type { Patchbay } from './patchbay.ts'
import { type Browser, createBrowser, type Page } from './upstreams/browser.ts'

export const hostCallback = 'http://127.0.0.1:33418/callback'

/** A host as the MCP SDK 1.x makes them: it remembers what it was given, and hands URLs to a browser. */
export type Host = OAuthClientProvider & {
  readonly url: string
  client(): OAuthClientInformationFull | undefined
  given(): OAuthTokens
  authorizationUrl(): URL
  /** Asks for authorization as the SDK does; afterwards `authorizationUrl()` waits for a person. */
  ask(): Promise<void>
  /** Redeems the code that the browser brought back. */
  redeem(callback: URL): Promise<void>
}

export function createHost(patchbay: Patchbay, connectorId: string, change: Partial<OAuthClientMetadata> = {}): Host {
  const url = `${patchbay.url}/connectors/${connectorId}/mcp`
  let client: OAuthClientInformationFull | undefined
  let tokens: OAuthTokens | undefined
  let verifier = ''
  let authorizationUrl: URL | undefined
  const host: Host = {
    url,
    redirectUrl: change.redirect_uris?.[0] ?? hostCallback,
    clientMetadata: {
      client_name: 'Test host',
      redirect_uris: [hostCallback],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...change,
    },
    state: () => 'state-of-the-host',
    clientInformation: () => client,
    saveClientInformation: (information) => {
      client = information as OAuthClientInformationFull
    },
    tokens: () => tokens,
    saveTokens: (given) => {
      tokens = given
    },
    redirectToAuthorization: (target) => {
      authorizationUrl = target
    },
    saveCodeVerifier: (value) => {
      verifier = value
    },
    codeVerifier: () => verifier,
    client: () => client,
    given: () => required(tokens),
    authorizationUrl: () => required(authorizationUrl),
    ask: async () => void (await auth(host, { serverUrl: url })),
    redeem: async (callback) => {
      const error = callback.searchParams.get('error')
      if (error !== null) throw new Error(`refused: ${error}`)
      const iss = callback.searchParams.get('iss') ?? undefined
      const authorizationCode = callback.searchParams.get('code') ?? ''
      await auth(host, { serverUrl: url, authorizationCode, ...(iss === undefined ? {} : { iss }) })
    },
  }
  return host
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the host was not given that yet')
  return value
}

/** A browser that stops where it would leave for the host. */
export function hostBrowser(callback = hostCallback): Browser {
  return createBrowser({ stopAt: [callback] })
}

/**
 * Opens a host's request, says who one is, connects where that is asked for, and presses Authorize.
 *
 * @param browser by default one that stops in front of `hostCallback`
 * @returns what the host's callback is called with
 */
export async function walkConsent(authorizationUrl: string, name: string, browser = hostBrowser()): Promise<URL> {
  await browser.open(authorizationUrl)
  const page = await browser.submit({ button: 'Continue as this person', fields: { name } })
  return authorizeOn(browser, page, name)
}

/** Connects first where that is asked for, as `account` of the sandbox, then presses Authorize. */
async function authorizeOn(browser: Browser, page: Page, account: string): Promise<URL> {
  if (!page.html.includes('value="authorize"')) {
    const next = await browser.submit({ button: 'connect' })
    const isSandbox = new URL(next.url).origin !== new URL(page.url).origin
    if (isSandbox) await browser.submit({ button: 'Authorize', fields: { name: account } })
  }
  return new URL((await browser.submit({ button: 'authorize' })).url)
}

/** The whole way to a host's tokens. */
export async function authorizeHost(host: Host, name: string): Promise<Host> {
  await host.ask()
  await host.redeem(await walkConsent(host.authorizationUrl().href, name))
  return host
}
