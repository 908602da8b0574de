import type { Patchbay } from './patchbay.ts'

type ToolAnswer = {
  readonly status: number
  /** What the tool said; undefined when it was not reached. */
  readonly text: string | undefined
  /** What was said instead, when it was not reached. */
  readonly refusal: string | undefined
}

/** One `tools/call` at a connector's MCP endpoint, as a client of the legacy era sends it. */
export async function callTool(patchbay: Patchbay, connectorId: string, name: string): Promise<ToolAnswer> {
  const params = { name, arguments: {} }
  const { status, body } = await send(patchbay, connectorId, { method: 'tools/call', params })
  const words = body?.result?.content?.[0]?.text
  const isReached = words !== undefined && body.result.isError !== true
  return isReached
    ? { status, text: words, refusal: undefined }
    : { status, text: undefined, refusal: words ?? body?.error?.message }
}

type ToolList = {
  readonly status: number
  readonly tools: readonly { readonly name: string; readonly description?: string }[]
}

/** One `tools/list`, likewise; unlike a call it never begins a new connection. No tools when it is refused. */
export async function listTools(patchbay: Patchbay, connectorId: string, key?: string): Promise<ToolList> {
  const { status, body } = await send(patchbay, connectorId, { method: 'tools/list' }, key)
  return { status, tools: body?.result?.tools ?? [] }
}

function send(patchbay: Patchbay, connectorId: string, message: object, key?: string) {
  return patchbay.request('POST', `/connectors/${connectorId}/mcp`, {
    ...(key === undefined ? {} : { key }),
    headers: { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' },
    body: { jsonrpc: '2.0', id: 1, ...message },
  })
}
