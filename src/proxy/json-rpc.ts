import { z } from 'zod'

/** A JSON-RPC message of a caller, as far as Patchbay ever looks into one. */
const messageSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z
    .object({
      protocolVersion: z.string().optional().catch(undefined),
      capabilities: z
        .object({ elicitation: z.object({ url: z.unknown() }).optional().catch(undefined) })
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
})

export type JsonRpcMessage = z.output<typeof messageSchema>

const bodySchema = z.union([messageSchema.transform((message) => [message]), z.array(messageSchema).min(1).max(100)])

/** The messages of a body: one, or a batch (MCP 2025-03-26 only). Null when it is not JSON-RPC. */
export function readMessages(
  body: Buffer,
): { readonly messages: readonly JsonRpcMessage[]; readonly isBatch: boolean } | null {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch {
    return null
  }
  const parsed = bodySchema.safeParse(json)
  return parsed.success ? { messages: parsed.data, isBatch: Array.isArray(json) } : null
}

/** True when `initialize` says that the client can open a link for its user (MCP 2025-11-25, elicitation). */
export function canOpenLinks(message: JsonRpcMessage): boolean {
  return message.params?.capabilities?.elicitation?.url !== undefined
}
