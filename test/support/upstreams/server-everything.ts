import { createRequire } from 'node:module'
import { launchProcess } from './launch-process.ts'
import type { Upstream } from './upstream.ts'

/** MCP's reference server with one of everything: streamable HTTP with sessions, up to 2025-11-25, no authorization. */
export async function startServerEverything(): Promise<Upstream> {
  const { ports, output, close } = await launchProcess({
    name: 'server-everything',
    script: createRequire(import.meta.url).resolve(
      '@modelcontextprotocol/server-everything/dist/transports/streamableHttp.js',
    ),
    env: { PORT: '0' },
  })
  return { url: `http://localhost:${ports[0]}/mcp`, output, close }
}
