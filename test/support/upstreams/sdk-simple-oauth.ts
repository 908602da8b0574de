import { createRequire } from 'node:module'
import { freePorts } from './free-ports.ts'
import { launchProcess } from './launch-process.ts'
import type { Upstream } from './upstream.ts'

export type SimpleOAuthUpstream = Upstream & {
  /** As its metadata says it: with a trailing slash. */
  readonly issuer: string
}

/**
 * The SDK 1.x example server with its demo authorization server (`--oauth --oauth-strict`): tools `greet` and others, sessions
 * up to 2025-11-25. Consent is given without a page, access tokens are opaque and live an hour, there are no refresh
 * tokens, and an authorization request without `resource` ends in a failed exchange.
 */
export async function startSdkSimpleOAuth(): Promise<SimpleOAuthUpstream> {
  // Both ports must be named beforehand, so somebody else may be quicker: once more, then.
  return start().catch(() => start())
}

async function start(): Promise<SimpleOAuthUpstream> {
  const [mcpPort, authPort] = await freePorts(2)
  const { output, close } = await launchProcess({
    name: 'simpleStreamableHttp --oauth --oauth-strict',
    script: createRequire(import.meta.url).resolve('@modelcontextprotocol/sdk/examples/server/simpleStreamableHttp.js'),
    args: ['--oauth', '--oauth-strict'],
    env: { MCP_PORT: String(mcpPort), MCP_AUTH_PORT: String(authPort) },
    servers: 2,
  })
  return { url: `http://localhost:${mcpPort}/mcp`, issuer: `http://localhost:${authPort}/`, output, close }
}
