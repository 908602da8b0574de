import * as oauth from 'openid-client'
import { type Browser, createBrowser, type Page } from '../../support/upstreams/browser.ts'

/** Where the test's client is sent back to. Nothing listens there: the browser stops in front of it. */
export const callback = 'http://localhost:9/callback'

const insecure = { algorithm: 'oauth2' as const, execute: [oauth.allowInsecureRequests] }

/** Discovers the server and registers a client with it (RFC 8414, RFC 7591). */
export function registerClient(
  issuer: string,
  metadata: Partial<oauth.ClientMetadata> = {},
  authentication: oauth.ClientAuth = oauth.None(),
): Promise<oauth.Configuration> {
  return oauth.dynamicClientRegistration(
    new URL(issuer),
    { client_name: 'Test', redirect_uris: [callback], token_endpoint_auth_method: 'none', ...metadata },
    authentication,
    insecure,
  )
}

export type Attempt = {
  readonly verifier: string
  readonly state: string
  /** Of the authorization request. */
  readonly url: URL
}

/** An authorization request; `parameters` overrides its parts, and an empty value leaves one out. */
export async function beginAuthorization(
  client: oauth.Configuration,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Attempt> {
  const verifier = oauth.randomPKCECodeVerifier()
  const state = oauth.randomState()
  const url = oauth.buildAuthorizationUrl(client, {
    redirect_uri: callback,
    scope: 'mcp',
    state,
    resource: `${client.serverMetadata().issuer}/mcp`,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  for (const [name, value] of Object.entries(parameters)) if (value === '') url.searchParams.delete(name)
  return { verifier, state, url }
}

/** Opens the sign-in page and answers it; what comes back is the page at the callback. */
export async function answerSignIn(
  { url }: Attempt,
  answer: { readonly button?: string; readonly fields?: Readonly<Record<string, string>> } = {},
  browser: Browser = createBrowser({ stopAt: [callback] }),
): Promise<Page> {
  await browser.open(url.href)
  return browser.submit({ button: 'Authorize', ...answer })
}

/** The whole code flow as the person `account` (one of the page's, or any other name). */
export async function authorize(client: oauth.Configuration, account = 'Alice') {
  const attempt = await beginAuthorization(client)
  const page = await answerSignIn(attempt, { fields: { name: account } })
  return oauth.authorizationCodeGrant(client, new URL(page.url), {
    pkceCodeVerifier: attempt.verifier,
    expectedState: attempt.state,
  })
}

/** The refresh token of a token response that must have one. */
export function refreshTokenOf(tokens: oauth.TokenEndpointResponse): string {
  if (tokens.refresh_token === undefined) throw new Error('the response holds no refresh token')
  return tokens.refresh_token
}

/** The `error` that the authorization server answered with; `none` when it did not refuse. */
export async function oauthErrorOf(request: Promise<unknown>): Promise<string> {
  try {
    await request
    return 'none'
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError)
      return error.error
    throw error
  }
}

/** The status with which the resource answers a request that carries this access token. */
export async function statusWith(url: string, accessToken: string): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    }),
  })
  await response.body?.cancel()
  return response.status
}
