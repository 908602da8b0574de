import { clientLabel, toolLabel } from './labels.ts'
import { scanMessage } from './scan-message.ts'

/** What a call was about, in words that are few: a method out of a closed list, a tool's name, the client. */
export type Message = {
  readonly method: CallMethod
  /** Of `tools/call` only; empty for everything else. */
  readonly tool: string
  /** Name and version, as the client says itself; null when it does not. */
  readonly client: string | null
}

/**
 * The methods of MCP in all its revisions, and what else there is: `stream` (GET), `end_session` (DELETE), `response` (an
 * answer to the upstream's question), `batch`, `other` for what is none of them, `unread` for what was refused before that.
 */
export const callMethods = [
  'initialize',
  'ping',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
  'logging/setLevel',
  'server/discover',
  'subscriptions/listen',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'stream',
  'end_session',
  'response',
  'batch',
  'other',
  'unread',
] as const
export type CallMethod = (typeof callMethods)[number]

const known: ReadonlyMap<string, CallMethod> = new Map(callMethods.map((method) => [method, method]))

/** Of a call that is not that far yet. */
export const unread: Message = { method: 'unread', tool: '', client: null }
const stream: Message = { method: 'stream', tool: '', client: null }
const endOfSession: Message = { method: 'end_session', tool: '', client: null }
const batch: Message = { method: 'batch', tool: '', client: null }

/** Of the request's head, as far as it speaks of the message. */
export type MessageHead = {
  /** The headers `Mcp-Method` and `Mcp-Name` (MCP 2026-07-28, transports); null without. */
  readonly mcpMethod: string | null
  readonly mcpName: string | null
}

/**
 * Says what a request is about: by its headers where the client sends them, else by a look at the first kilobytes of its body.
 * Nothing is verified: it is for counting.
 *
 * @param wantsClient whether the client's own name is of interest; then the body is looked at in any case
 */
export function readMessage(httpMethod: string, head: MessageHead, body: Buffer, wantsClient: boolean): Message {
  if (httpMethod === 'GET') return stream
  if (httpMethod === 'DELETE') return endOfSession
  const { mcpMethod, mcpName } = head
  const isModern = mcpMethod !== null
  if (isModern && !wantsClient) return messageOf(mcpMethod, mcpName, null)
  const scanned = scanMessage(body, isModern)
  if (scanned === 'batch') return batch
  const client = scanned.clientInfo === null ? null : clientLabel(scanned.clientInfo)
  if (isModern) return messageOf(mcpMethod, mcpName, client)
  return messageOf(scanned.method, scanned.name, client)
}

function messageOf(method: string | null, name: string | null, client: string | null): Message {
  const kind = method === null ? 'response' : (known.get(method) ?? 'other')
  return { method: kind, tool: kind === 'tools/call' && name !== null ? toolLabel(name) : '', client }
}
