import type { Patchbay } from './patchbay.ts'

type ToolAnswer = {
  readonly status: number
  /** What the tool said; undefined when it was not reached. */
  readonly text: string | undefined
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
}

/** One `tools/call` at a connector's MCP endpoint, as a client of the legacy era sends it. */
export async function callTool(patchbay: Patchbay, connectorId: string, name: string): Promise<ToolAnswer> {
  const { status, body } = await patchbay.request('POST', `/connectors/${connectorId}/mcp`, {
    headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } },
  })
  return { status, text: body?.result?.content?.[0]?.text, error: body?.error }
}
