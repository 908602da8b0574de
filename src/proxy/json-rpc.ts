import { z } from 'zod'

/** Keys of `params._meta` in which the modern era says with each request what `initialize` said once. */
const versionKey = 'io.modelcontextprotocol/protocolVersion'
const capabilitiesKey = 'io.modelcontextprotocol/clientCapabilities'

const capabilities = z.object({ elicitation: z.object({ url: z.unknown() }).optional().catch(undefined) })

/** A JSON-RPC message of a caller, as far as Patchbay ever looks into one. */
const messageSchema = z.object({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z
    .object({
      name: z.string().optional().catch(undefined),
      protocolVersion: z.string().optional().catch(undefined),
      capabilities: capabilities.optional().catch(undefined),
      requestState: z.string().optional().catch(undefined),
      inputResponses: z.record(z.string(), z.unknown()).optional().catch(undefined),
      _meta: z
        .object({
          [versionKey]: z.string().optional().catch(undefined),
          [capabilitiesKey]: capabilities.optional().catch(undefined),
        })
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

/** True when the client says that it can open a link for its user: in `initialize`, or in each modern request. */
export function canOpenLinks({ params }: JsonRpcMessage): boolean {
  const declared = params?._meta?.[capabilitiesKey] ?? params?.capabilities
  return declared?.elicitation?.url !== undefined
}

/** The revision that a request of the modern era is made in; null for one of the legacy era. */
export function modernVersionOf({ params }: JsonRpcMessage): string | null {
  return params?._meta?.[versionKey] ?? null
}
