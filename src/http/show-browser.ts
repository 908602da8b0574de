import { randomToken } from '../kernel/secret.ts'
import { mcpPage } from './pages/mcp-page.ts'
import { pageHeaders } from './pages/page-headers.ts'

/** The page at an MCP address, for the endpoint, which knows nothing of pages: names and values of headers in turn, and the body. */
export function createShowBrowser(publicUrl: URL) {
  return (mcpUrl: string): { readonly headers: readonly string[]; readonly body: string } => {
    const nonce = randomToken()
    const headers = pageHeaders({ nonce, isHttps: publicUrl.protocol === 'https:' })
    // the endpoint says these of each answer itself
    const own = Object.entries(headers).filter(([name]) => !/^(cache-control|x-content-type-options)$/i.test(name))
    return { headers: own.flat(), body: mcpPage({ mcpUrl }, nonce) }
  }
}
