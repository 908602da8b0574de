import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { localhostOriginValidation } from '@modelcontextprotocol/node'
import type { SandboxAddresses } from './addresses.ts'
import { signInPath } from './authorization-server.ts'
import type { createMcpEndpoint } from './mcp-endpoint.ts'
import { noticePage } from './notice-page.ts'
import { pageHeaders } from './page-layout.ts'
import type { createProtectedResource } from './protected-resource.ts'
import type { SandboxLog } from './sandbox-log.ts'
import type { createSignIn } from './sign-in.ts'

export type RequestHandlerDeps = {
  readonly addresses: SandboxAddresses
  readonly authorizationServer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>
  readonly signIn: ReturnType<typeof createSignIn>
  readonly resource: ReturnType<typeof createProtectedResource>
  readonly mcp: ReturnType<typeof createMcpEndpoint>
  readonly log: SandboxLog
}

/** Decides which part of the sandbox answers a request. */
export function createRequestHandler(deps: RequestHandlerDeps): RequestListener {
  const { addresses, authorizationServer, signIn, resource, mcp, log } = deps
  const isOriginAllowed = localhostOriginValidation()

  const serveMcp = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isOriginAllowed(request, response)) return
    const admission = await resource.admit(request)
    if (admission.isAdmitted) return mcp.handle(request, response, admission.auth)
    response.setHeader('www-authenticate', admission.challenge)
    sendJson(response, admission.status, {
      error: admission.status === 401 ? 'invalid_token' : 'insufficient_scope',
      error_description: 'Authorize first: the WWW-Authenticate header says where to begin.',
    })
  }

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!addresses.hosts.has(request.headers.host ?? '')) {
      response.writeHead(421, { 'content-type': 'text/plain' }).end(`This is ${addresses.origin}.\n`)
      return
    }
    // The authorization server builds its addresses from Host; whoever came by 127.0.0.1 still gets the canonical ones.
    request.headers.host = new URL(addresses.origin).host
    const { pathname } = new URL(request.url ?? '/', addresses.origin)
    if (pathname === '/mcp') return serveMcp(request, response)
    if (pathname.startsWith(signInPath)) return signIn(request, response)
    if (pathname === '/') return sendWelcome(response, addresses)
    if (pathname === resourceMetadataRoot || pathname === `${resourceMetadataRoot}/mcp`) {
      return sendJson(response, 200, resource.metadata)
    }
    return authorizationServer(request, response)
  }

  return (request, response) => {
    route(request, response).catch((error: unknown) => {
      log.error({ err: error }, 'sandbox: request failed')
      if (response.headersSent) response.destroy()
      else sendJson(response, 500, { error: 'server_error' })
    })
  }
}

const resourceMetadataRoot = '/.well-known/oauth-protected-resource'

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

function sendWelcome(response: ServerResponse, { mcpUrl }: SandboxAddresses): void {
  const body = noticePage({
    title: 'This is the sandbox',
    text: `An MCP server to try things on, with its own sign-in. Its address for MCP clients is ${mcpUrl}`,
    hint: 'Create a connector with that URL in Patchbay and connect it; or give the URL to any MCP client.',
  })
  response.writeHead(200, pageHeaders).end(body)
}
