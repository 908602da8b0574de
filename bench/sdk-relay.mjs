// How most gateways are built: the MCP SDK's server towards callers, its client towards the upstream.
import { createServer } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const [origin, port] = process.argv.slice(2)
const upstream = new Client({ name: 'relay', version: '1' })
await upstream.connect(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`)))

createServer(async (request, response) => {
  const server = new Server({ name: 'relay', version: '1' }, { capabilities: { tools: {} } })
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => upstream.callTool(params))
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true })
  response.on('close', () => void server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response)
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
