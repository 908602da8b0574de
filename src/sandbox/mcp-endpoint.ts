import type { IncomingMessage, ServerResponse } from 'node:http'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { type AuthInfo, createMcpHandler, isLegacyRequest, McpServer } from '@modelcontextprotocol/server'
import type { Clock } from '../kernel/clock.ts'
import { createLegacySessions } from './legacy-sessions.ts'
import { registerPrompts } from './prompts.ts'
import { registerResources } from './resources.ts'
import type { SandboxLog } from './sandbox-log.ts'
import { registerTools } from './tools.ts'

export type McpEndpointDeps = { readonly clock: Clock; readonly log: SandboxLog }

const instructions =
  'A sandbox for trying out MCP connections. Nothing here is real. Use whoami to see which account is connected.'

/** MCP of both eras at one URL: sessions up to 2025-11-25, and stateless 2026-07-28. Callers are admitted before. */
export function createMcpEndpoint({ clock, log }: McpEndpointDeps) {
  const createServer = (): McpServer => {
    const server = new McpServer(
      { name: 'patchbay-sandbox', title: 'Patchbay sandbox', version: '1.0.0' },
      { instructions },
    )
    registerTools(server, { clock })
    registerResources(server)
    registerPrompts(server)
    return server
  }

  const onerror = (error: Error): void => log.info({ err: error }, 'sandbox: MCP request refused')
  const legacy = createLegacySessions(createServer)
  const modern = createMcpHandler(createServer, { legacy: 'reject', onerror })
  const serve = toNodeHandler(
    {
      async fetch(request, options) {
        if (options?.authInfo !== undefined && (await isLegacyRequest(request))) {
          return legacy.fetch(request, options.authInfo)
        }
        return modern.fetch(request, options)
      },
    },
    { onerror },
  )

  return {
    handle: (request: IncomingMessage, response: ServerResponse, auth: AuthInfo): Promise<void> =>
      // The adapter's type says `method?: string` where Node's says `string | undefined`.
      serve(Object.assign(request, { auth }) as NodeIncomingMessageLike, response),

    async close(): Promise<void> {
      await Promise.all([legacy.close(), modern.close()])
    },
  }
}
