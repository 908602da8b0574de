import { createServer } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const handler = createMcpHandler(
  () => {
    const server = new McpServer({ name: 'modern-only', version: '1.0.0' })
    server.registerTool(
      'shout',
      { description: 'Returns the text in capitals.', inputSchema: z.object({ text: z.string() }) },
      ({ text }) => ({ content: [{ type: 'text', text: text.toUpperCase() }] }),
    )
    server.registerTool(
      'count',
      { description: 'Counts to n, reporting progress.', inputSchema: z.object({ n: z.int().min(1).max(100) }) },
      async ({ n }, { mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken
        for (let progress = 1; progress <= n && progressToken !== undefined; progress++) {
          await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: n } })
          await wait(20)
        }
        return { content: [{ type: 'text', text: `counted to ${n}` }] }
      },
    )
    return server
  },
  { legacy: 'reject' },
)
const serve = toNodeHandler(handler)

createServer((request, response) => {
  if (request.url === '/mcp') void serve(request as NodeIncomingMessageLike, response)
  else response.writeHead(404).end()
}).listen(0, '127.0.0.1')
