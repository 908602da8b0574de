import { fileURLToPath } from 'node:url'
import { launchProcess } from './launch-process.ts'
import type { Upstream } from './upstream.ts'

/** A server that speaks MCP 2026-07-28 and nothing older, without authorization. See `modern-server-process.ts`. */
export async function startModernServer(): Promise<Upstream> {
  const { ports, output, close } = await launchProcess({
    name: 'modern server',
    script: fileURLToPath(new URL('./modern-server-process.ts', import.meta.url)),
    preload: ['tsx'],
  })
  return { url: `http://localhost:${ports[0]}/mcp`, output, close }
}
