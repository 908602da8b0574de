import type { ServerResponse } from 'node:http'
import { randomToken } from '../kernel/secret.ts'
import { oauthErrorPage } from './pages/oauth-error-page.ts'
import { pageHeaders } from './pages/page-headers.ts'

/** Answers a browser whose authorization request cannot be answered at the client: nobody vouches for its address. */
export function createOauthErrorPage(publicUrl: URL) {
  return (response: ServerResponse, error: string): void => {
    const nonce = randomToken()
    const headers = pageHeaders({ nonce, isHttps: publicUrl.protocol === 'https:' })
    const status = error === 'server_error' ? 500 : 400
    response.writeHead(status, { ...headers }).end(oauthErrorPage({ error }, nonce))
  }
}
