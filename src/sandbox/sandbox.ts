import { generateKeyPair, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { promisify } from 'node:util'
import type { JWK } from 'oidc-provider'
import { systemClock } from '../kernel/clock.ts'
import { sandboxAddresses } from './addresses.ts'
import { createAuthorizationServer } from './authorization-server.ts'
import { createMcpEndpoint } from './mcp-endpoint.ts'
import { createProtectedResource } from './protected-resource.ts'
import { createRequestHandler } from './request-handler.ts'
import { type SandboxLog, silentLog } from './sandbox-log.ts'
import { createSignIn } from './sign-in.ts'
import { createTokenStore } from './token-store.ts'

export type SandboxOptions = {
  /** Port on 127.0.0.1. 0: a free one. */
  readonly port: number
  /** How long access tokens live, in seconds (1 or more). */
  readonly tokenTtlSeconds: number
  readonly log?: SandboxLog
}

export type Sandbox = {
  /** The MCP endpoint: `http://localhost:<port>/mcp`. */
  readonly url: string
  /** Its authorization server: `http://localhost:<port>`. */
  readonly issuer: string
  /** Ends everything, open streams included. */
  close(): Promise<void>
}

/**
 * Starts an MCP server of both eras that is protected by its own OAuth authorization server, for newcomers, tests and
 * integrators. Listens on 127.0.0.1 only, and keeps everything in memory.
 *
 * @throws the system's error (`EADDRINUSE`, ...) when the port cannot be had
 */
export async function startSandbox({ port, tokenTtlSeconds, log = silentLog }: SandboxOptions): Promise<Sandbox> {
  const keys = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  const signingKey: JWK = { ...keys.privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: randomUUID() }
  const server = createServer()
  const boundPort = await listen(server, port)

  // Nothing waits between here and the handler, so that no request comes in between and stays unanswered.
  const clock = systemClock
  const addresses = sandboxAddresses(boundPort)
  const store = createTokenStore({ clock })
  const provider = createAuthorizationServer({ addresses, store, signingKey, tokenTtlSeconds, log })
  const mcp = createMcpEndpoint({ clock, log })
  server.on(
    'request',
    createRequestHandler({
      addresses,
      mcp,
      log,
      authorizationServer: provider.callback(),
      signIn: createSignIn({ provider, addresses }),
      resource: createProtectedResource({ addresses, store, publicKey: keys.publicKey, clock }),
    }),
  )

  return {
    url: addresses.mcpUrl,
    issuer: addresses.origin,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await mcp.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
