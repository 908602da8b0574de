import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider/lib/provider.js'
import type { Browser, Page } from './browser.ts'

export type LoginProvider = {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** What the next logins come with, beside `sub`. */
  readonly claims: Record<string, unknown>
  /** The parameters of every authorization request. */
  readonly requests: readonly URLSearchParams[]
  close(): Promise<void>
}

const client = { id: 'patchbay', secret: 'the-secret-of-patchbay-at-its-idp' } as const

/** An organisation's OpenID provider at which people sign in: panva's oidc-provider, with its own pages, on loopback. */
export async function startLoginProvider(redirectUri: string): Promise<LoginProvider> {
  const claims: Record<string, unknown> = {}
  const requests: URLSearchParams[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', issuer)
    if (url.pathname === '/auth') requests.push(url.searchParams)
    void provider.callback()(request, response)
  })
  // the name that our own server has too: cookie jars ignore ports
  await once(server.listen(0, 'localhost'), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has no address')
  const issuer = `http://localhost:${address.port}`
  const provider = new Provider(issuer, {
    clients: [{ client_id: client.id, client_secret: client.secret, redirect_uris: [redirectUri] }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], profile: ['org', 'name'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...claims }) }),
    features: { devInteractions: { enabled: true } },
  })
  return {
    issuer,
    clientId: client.id,
    clientSecret: client.secret,
    claims,
    requests,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Signs in on its pages, from the one that asks who one is. @returns the page that it sends back to */
export async function signIn(browser: Browser, name: string): Promise<Page> {
  await browser.submit({ fields: { login: name, password: 'any' } })
  return browser.submit()
}
